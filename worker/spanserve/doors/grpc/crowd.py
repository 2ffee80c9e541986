"""Open `Work` streams: bounded for the worker and for each identity. Who has most makes room for who has fewer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from spanserve.engine.caller import Caller

#: Streams of all clients, and of one identity. Each may hold the largest frame while it comes in.
MAX_STREAMS = 256
MAX_STREAMS_OF_IDENTITY = 192


class Member(Protocol):
    """A stream."""

    @property
    def caller(self) -> Caller: ...
    @property
    def idle(self) -> bool:
        """Whether it could go without loss: its client has nothing in flight."""

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
        """End the oldest idle stream of the connection that has most of them, if that is not the newcomer's."""
        counts = Counter(_connection(member) for member in members)
        most = max(counts.values())
        if counts[_connection(newcomer)] + 1 >= most:
            return False
        for member in members:
            if counts[_connection(member)] == most and member.idle:
                self.leave(member)
                member.evict()
                return True
        return False


def _connection(member: Member) -> tuple[str, str]:
    return member.caller.identity, member.caller.connection
