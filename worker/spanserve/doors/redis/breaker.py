"""The breaker of a queue: a worker whose tasks from it keep ending in a fault, POISON or INTERNAL, takes no more.

Closed: claims freely. Open: claims nothing. After a pause half open: one task at a time; one that ends well closes
it, one that faults opens it again. Source of the pattern: M. Nygard, "Release It!", 2007.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

#: Faults among this many ended tasks, and within this many seconds, that are still put up with.
TASKS = 1000
ALLOWED_OF_TASKS = 10
PERIOD_S = 60.0
ALLOWED_IN_PERIOD = 20
#: Seconds it stays open before one task is tried.
PAUSE_S = 60.0


class Breaker:
    """Watches the ends of tasks.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: deque[bool] = deque(maxlen=TASKS)
        self._faults: deque[float] = deque(maxlen=ALLOWED_IN_PERIOD + 1)
        self._opened: float | None = None

    @property
    def closed(self) -> bool:
        return self._opened is None

    def room(self, wanted: int, held: int) -> int:
        """How many of the tasks wanted may be claimed while so many are held."""
        if self._opened is None:
            return wanted
        trial = self._clock() - self._opened >= PAUSE_S and held == 0
        return min(wanted, 1) if trial else 0

    def note(self, *, fault: bool) -> None:
        """A task has ended."""
        now = self._clock()
        self._ends.append(fault)
        if fault:
            self._faults.append(now)
        if self._opened is not None:
            if fault:
                self._opened = now
            elif now - self._opened >= PAUSE_S:  # the trial, not one of those held when it opened
                self._opened = None
                self._ends.clear()
                self._faults.clear()
        elif self._too_many(now):
            self._opened = now

    def _too_many(self, now: float) -> bool:
        recent = sum(now - fault <= PERIOD_S for fault in self._faults)
        return sum(self._ends) > ALLOWED_OF_TASKS or recent > ALLOWED_IN_PERIOD
