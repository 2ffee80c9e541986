"""Connections of one server: bounded for each identity, and those that ask for nothing make room for those that do."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Set

#: Part of a server's connections that one identity may have.
OF_IDENTITY = 3 / 4
#: Part of them from which on those that have made no call are ended.
CROWDED = 3 / 4
#: Seconds between two looks at which there are.
LOOK_S = 1.0


class _Connection:
    __slots__ = ("calls", "identity", "since")

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.calls = 0
        #: Since when it has no call.
        self.since = 0.0


class Connections:
    """Counts calls by connection.

    Args:
        most: connections that the server takes.
        peers: the clients that are connected now.
        hang_up: ends the connections of these peers.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        most: int,
        peers: Callable[[], Set[str]],
        hang_up: Callable[[Set[str]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._of_identity = max(1, int(most * OF_IDENTITY))
        self._crowded = int(most * CROWDED)
        self._peers = peers
        self._hang_up = hang_up
        self._clock = clock
        self._known: dict[str, _Connection] = {}
        self._counts: Counter[str] = Counter()
        self._strangers: dict[str, None] = {}  # that have made no call so far, the first to be seen first
        self._leaving: set[str] = set()

    def begin(self, peer: str, identity: str) -> bool:
        """A call of this identity begins. False: it may not, its identity has too many connections with calls."""
        connection = self._known.get(peer)
        if connection is None:
            if self._counts[identity] >= self._of_identity and not self._make_room(identity):
                return False
            connection = self._known[peer] = _Connection(identity)
            self._counts[identity] += 1
            self._leaving.discard(peer)
        connection.calls += 1
        return True

    def end(self, peer: str) -> None:
        """A call that has begun ends."""
        connection = self._known.get(peer)
        if connection is not None:
            connection.calls -= 1
            connection.since = self._clock()

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Look which are still there; end those that made room and, if it is crowded, those that made no call."""
        there = self._peers()
        for peer in self._known.keys() - there:
            self._forget(peer)
        strangers = there - self._known.keys()
        waited = [peer for peer in self._strangers if peer in strangers]
        ended = {*waited[: max(0, len(there) - self._crowded)], *(self._leaving & there)}
        if ended:
            self._hang_up(ended)
        self._leaving.clear()
        self._strangers = dict.fromkeys(peer for peer in (*waited, *strangers) if peer not in ended)

    def _make_room(self, identity: str) -> bool:
        """End the connection of an identity that has been without a call for longest, if there is one."""
        idle = [
            (connection.since, peer)
            for peer, connection in self._known.items()
            if connection.identity == identity and not connection.calls
        ]
        if idle:
            _, peer = min(idle)
            self._forget(peer)
            self._leaving.add(peer)
        return bool(idle)

    def _forget(self, peer: str) -> None:
        connection = self._known.pop(peer)
        self._counts[connection.identity] -= 1
        if not self._counts[connection.identity]:
            del self._counts[connection.identity]
