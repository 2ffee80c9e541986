"""Progress of a measurement: the current level on a terminal, a line for each that is done anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from spanserve.client.duration import duration
from spanserve.client.load.level import Level
from spanserve.options.terminal import Terminal

#: Seconds between two looks.
_LOOK_S = 0.25


class LoadProgress:
    """Shows what is going on; on standard error, so that output stays clean."""

    def __init__(self, console: Terminal) -> None:
        self._console = console
        self._answers = 0
        columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=None)

    def begins(self, fewest: int, most: int, each_s: float) -> None:
        """Say how long it will take: so many loads, of so many seconds each."""
        loads = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        times = dict.fromkeys(duration(count * each_s) for count in (fewest, most))
        self._console.print(
            f"{loads} load{'s' if most > 1 else ''} of {duration(each_s)} each: {' to '.join(times)}",
            soft_wrap=True,
        )

    def answered(self, answers: int) -> None:
        """So many answers have come at this level."""
        self._answers = answers

    def done(self, level: Level) -> None:
        """A level is done."""
        self._answers = 0
        waited = f"p99 {1000 * level.percentile_s(0.99):.1f} ms" if level.answered else "no answer"
        self._console.print(
            f"{level.kind} loop, {level.name}: {level.rate:.1f} answers/s, {waited}", soft_wrap=True
        )

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Shows it for as long as this lasts."""
        looking = asyncio.create_task(self._look()) if self._console.is_terminal else None
        try:
            yield
        finally:
            if looking is not None:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
                self._bar.stop()

    async def _look(self) -> None:
        self._bar.start()
        while True:
            self._bar.update(self._task, description=f"measuring, {self._answers} answers at this level")
            await asyncio.sleep(_LOOK_S)
