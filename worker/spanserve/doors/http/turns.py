"""Who sends bytes that take long to parse waits: such connections go on one after the other, in a part of the time.

All connections share one loop. Without turns, a few that send their bodies in chunks of a byte would have all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

#: Seconds of processor time that parsing may take at a time; beyond it a connection waits for its turn.
DEAR_S = 0.002
#: Of its time in use the loop rests from such connections so many times as long as the last of them took.
REST = 3.0


class Waiting(Protocol):
    """One that waits for its turn."""

    def go_on(self) -> float:
        """Parse on, until that has cost enough; returns the seconds of processor time it took."""
        ...


class Turns:
    """The line of one server.

    Args:
        later: calls a function after so many seconds, as `loop.call_later` does.
    """

    def __init__(self, later: Callable[[float, Callable[[], None]], Any]) -> None:
        self._later = later
        self._line: dict[Waiting, None] = {}
        self._armed = False

    def __len__(self) -> int:
        return len(self._line)

    def wait(self, who: Waiting, spent_s: float) -> None:
        """Stand at the end of the line, after something that took so long."""
        self._line[who] = None
        self._arm(spent_s)

    def leave(self, who: Waiting) -> None:
        """Wait no more; of no effect on one that does not."""
        self._line.pop(who, None)

    def _arm(self, spent_s: float) -> None:
        if not self._armed:
            self._armed = True
            self._later(REST * spent_s, self._next)

    def _next(self) -> None:
        self._armed = False
        if not self._line:
            return
        first = next(iter(self._line))
        del self._line[first]
        spent_s = first.go_on()
        if self._line:
            self._arm(spent_s)
