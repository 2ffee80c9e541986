"""Progress of a long run: a bar with rate and remaining time on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from spanserve.contract.escape import escape
from spanserve.options.terminal import Terminal

#: Seconds between two plain lines.
LINE_INTERVAL_S = 5.0


class RunProgress:
    """Shows how far a run is.

    The remaining time goes by text still to be read, not by questions: long passages are sent first and
    take longer.

    Args:
        total: questions of the run.
        weight: text of the run, in any unit.
        console: where to show it; standard error, so that output stays clean.
    """

    def __init__(
        self, total: int, weight: float, console: Terminal, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total = total
        self._weight = max(weight, 1e-9)
        self._console = console
        self._clock = clock
        self._began = self._last = clock()
        self._done = 0
        self._done_weight = 0.0
        self._start_weight = 0.0
        self._start_done = 0
        self._next_line = self._began + LINE_INTERVAL_S
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=False,
        )
        self._task = self._bar.add_task("evaluating", total=self._weight, state="")

    def __enter__(self) -> Self:
        self._began = self._last = self._clock()
        self._next_line = self._began + LINE_INTERVAL_S
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def resume(self, questions: int, weight: float) -> None:
        """Note what was there before this run; it does not count for the rate."""
        self._start_done, self._start_weight = questions, weight
        self._done, self._done_weight = questions, weight

    @property
    def seconds(self) -> float:
        """From the beginning to the last question that was finished: what every rate of the run is by."""
        return self._last - self._began

    def advance(self, questions: int, weight: float, workers: str) -> None:
        """Note finished questions; `workers` says who did what."""
        self._done += questions
        self._done_weight += weight
        now = self._clock()
        if questions:
            self._last = now
        state = self._state(now, workers)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=self._done_weight, state=state)
        elif now >= self._next_line or self._done == self._total:
            self._next_line = now + LINE_INTERVAL_S
            self._console.print(state, soft_wrap=True)

    def _state(self, now: float, workers: str) -> str:
        elapsed = max(now - self._began, 1e-9)
        rate = (self._done - self._start_done) / elapsed
        speed = (self._done_weight - self._start_weight) / elapsed
        left = (self._weight - self._done_weight) / speed if speed > 0 else float("inf")
        eta = f", {left:.0f} s left" if left < 1e6 else ""
        return f"{self._done}/{self._total} questions, {rate:.1f}/s{eta}{escape(workers)}"
