"""Virtual time: actions in the order of their times, without any waiting."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class Timeline:
    """A clock that jumps from one action to the next."""

    def __init__(self) -> None:
        #: Seconds.
        self.now = 0.0
        self._actions: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at a time that has not passed; at equal times in the order of asking."""
        heapq.heappush(self._actions, (max(when, self.now), next(self._sequence), action))

    def run(self) -> None:
        """Go on until nothing is left to do."""
        while self._actions:
            self.now, _, action = heapq.heappop(self._actions)
            action()
