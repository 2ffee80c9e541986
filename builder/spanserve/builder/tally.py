"""How far a long step is: calibration and comparison take minutes on a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

#: Seconds between two lines.
INTERVAL_S = 10.0

_T = TypeVar("_T")


class Tally(Generic[_T]):
    """Items that say now and then how many of them have been dealt with, on each pass over them.

    Args:
        what: is done with them, in a few words.
        on_step: told so.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        items: Sequence[_T],
        what: str,
        on_step: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._items = items
        self._what = what
        self._on_step = on_step
        self._clock = clock
        self._passes = 0
        self._due = clock() + INTERVAL_S

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: int) -> _T:
        return self._items[place]

    def __iter__(self) -> Iterator[_T]:
        self._passes += 1
        again = f", pass {self._passes}" if self._passes > 1 else ""
        for done, item in enumerate(self._items):
            now = self._clock()
            if now >= self._due:
                self._due = now + INTERVAL_S
                self._on_step(f"{self._what}{again}: {done} of {len(self._items)}")
            yield item
