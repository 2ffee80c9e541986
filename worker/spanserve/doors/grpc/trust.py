"""Trust in connections: each has some at first, wasted calls cost some, and it grows again with time.

Calls of a connection that has none left are handled one by one, with pauses between them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

#: All clients of a socket file look like one connection: what one of them does is not held against the others.
SHARED = "unix:"
#: Connections without trust that may go at their full pace; where there are more, each goes slower.
MANY = 20
#: Seconds that anything waits at most.
MOST_PAUSE_S = 15.0


class _Connection:
    __slots__ = ("at", "left", "next")

    def __init__(self, left: float, at: float) -> None:
        self.left = left
        self.at = at
        #: When its next message is handled.
        self.next = at


class Trust:
    """How much of it connections have.

    Args:
        most: what a connection has at first.
        regained_per_s: how fast it comes back, and how much of a connection that has none is handled.
        clock: seconds, monotonic.
        connections: that are remembered; the one that has lost none for longest is forgotten first.
    """

    def __init__(
        self, most: float, regained_per_s: float, clock: Callable[[], float], *, connections: int = 4096
    ) -> None:
        self._most = most
        self._per_s = regained_per_s
        self._clock = clock
        self._limit = connections
        self._connections: OrderedDict[str, _Connection] = OrderedDict()

    def lose(self, name: str, amount: float = 1) -> None:
        """Take away as much trust as this connection has wasted."""
        if name.startswith(SHARED):
            return
        now = self._clock()
        connection = self._connections.get(name)
        if connection is None:
            self._forget(now)
            connection = self._connections[name] = _Connection(self._most, now)
        connection.left = max(self._regained(connection, now) - amount, -self._most)
        connection.at = now
        self._connections.move_to_end(name)

    def is_lost(self, name: str) -> bool:
        """Whether this connection has none left."""
        connection = self._connections.get(name)
        return connection is not None and self._regained(connection, self._clock()) <= 0

    def pause_s(self, name: str, amount: float = 1) -> float:
        """Seconds until this much more of the connection may be handled. The next call waits longer."""
        if not self.is_lost(name):
            return 0.0
        connection, now = self._connections[name], self._clock()
        crowd = max(1.0, len(self._connections) / MANY)
        free = max(connection.next, now) + amount * crowd / self._per_s
        connection.next = min(free, now + MOST_PAUSE_S)
        return connection.next - now

    def _forget(self, now: float) -> None:
        """Drop connections that have all of it again, and the first where there are too many."""
        while self._connections:
            oldest = next(iter(self._connections.values()))
            if self._regained(oldest, now) < self._most and len(self._connections) < self._limit:
                return
            self._connections.popitem(last=False)

    def _regained(self, connection: _Connection, now: float) -> float:
        return min(self._most, connection.left + (now - connection.at) * self._per_s)
