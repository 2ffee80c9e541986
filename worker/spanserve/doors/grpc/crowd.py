"""Open `Work` streams: bounded for the worker and for each identity.

The identity with most makes room for one with fewer; a stream that has long been idle, for a caller without one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from spanserve.engine.caller import Caller

#: Streams of all clients, and of one identity. Each may hold the largest frame while it comes in.
MAX_STREAMS = 256
MAX_STREAMS_OF_IDENTITY = 192
#: Seconds without anything in flight after which a stream makes room for a connection without any.
LONG_IDLE_S = 10.0


class Member(Protocol):
    """A stream."""

    @property
    def caller(self) -> Caller: ...
    @property
    def idle_s(self) -> float | None:
        """Seconds for which its client has had nothing in flight, so that it could go without loss; None: it has."""

    def evict(self) -> None:
        """End it, in order: it makes room."""


MemberT = TypeVar("MemberT", bound=Member)


class Crowd(Generic[MemberT]):
    """The streams that are open, the oldest first."""

    def __init__(self) -> None:
        self._members: dict[MemberT, None] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[MemberT]:
        return iter(list(self._members))

    def enter(self, member: MemberT) -> bool:
        """Let a stream in. False if there is no place for it."""
        own = [one for one in self._members if one.caller.identity == member.caller.identity]
        if len(own) >= MAX_STREAMS_OF_IDENTITY:
            fits = self._make_room(own, member)
        else:
            fits = len(self._members) < MAX_STREAMS or self._make_room(list(self._members), member)
        if fits:
            self._members[member] = None
        return fits

    def leave(self, member: MemberT) -> None:
        self._members.pop(member, None)

    def _make_room(self, members: list[MemberT], newcomer: MemberT) -> bool:
        """End the idle stream that makes room for a newcomer, if there is one."""
        counts = Counter(_connection(member) for member in members)
        most = max(counts.values())
        own = counts[_connection(newcomer)]
        idle = [(member.idle_s, member) for member in members if member.idle_s is not None]
        if own + 1 < most:
            may_go = [(idle_s, one) for idle_s, one in idle if counts[_connection(one)] == most]
        elif not own:
            may_go = [(idle_s, one) for idle_s, one in idle if idle_s >= LONG_IDLE_S]
        else:
            may_go = []
        if not may_go:
            return False
        _, gone = max(may_go, key=lambda entry: entry[0])
        self.leave(gone)
        gone.evict()
        return True


def _connection(member: Member) -> tuple[str, str]:
    return member.caller.identity, member.caller.connection
