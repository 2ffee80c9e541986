"""An event loop in virtual time: when nothing is left to do it is at once as late as whoever sleeps first wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        waits: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        if not self._ready and waits:  # type: ignore[attr-defined]
            self._virtual = max(self._virtual, waits[0].when())
        super()._run_once()  # type: ignore[misc]


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; sleeping takes no time, and computing none of the loop's."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(work)
