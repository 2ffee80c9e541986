"""An event loop in virtual time: when nothing is left to do it is at once as late as whoever sleeps first wants it.

While a thread works for it, no time passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0
        self._threads = 0
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual

    def run_in_executor(self, *arguments: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = super().run_in_executor(*arguments)
        self._threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, future: asyncio.Future[Any]) -> None:
        self._threads -= 1

    def _run_once(self) -> None:
        waits: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        if not self._ready and not self._threads:  # type: ignore[attr-defined]
            first = min((handle.when() for handle in waits if not handle.cancelled()), default=0.0)
            self._virtual = max(self._virtual, first)
        super()._run_once()  # type: ignore[misc]


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; sleeping takes no time, and computing none of the loop's."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(work)
