"""Who gets a place among the streams, and who makes room."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from spanserve.doors.grpc import crowd as crowd_module
from spanserve.doors.grpc.crowd import LONG_IDLE_S, Crowd
from spanserve.engine.caller import Caller

ALL, OF_IDENTITY = 12, 8


@dataclass(eq=False)
class Stream:
    caller: Caller
    idle_s: float | None = 0.0
    evicted: bool = False

    def evict(self) -> None:
        self.evicted = True


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd[Stream]:
    monkeypatch.setattr(crowd_module, "MAX_STREAMS", ALL)
    monkeypatch.setattr(crowd_module, "MAX_STREAMS_OF_IDENTITY", OF_IDENTITY)
    return Crowd()


def enter(
    crowd: Crowd[Stream], connection: str, identity: str = "a", idle_s: float | None = 0.0
) -> Stream | None:
    stream = Stream(Caller(identity, connection=connection), idle_s)
    return stream if crowd.enter(stream) else None


def test_an_identity_leaves_places(crowd: Crowd[Stream]) -> None:
    """However many streams one identity opens, others find a place."""
    opened = [enter(crowd, f"{number}") for number in range(20)]
    assert OF_IDENTITY == sum(one is not None for one in opened)
    assert enter(crowd, "x", "b")


def test_who_has_most_makes_room(crowd: Crowd[Stream]) -> None:
    """The connection with most streams loses the one that has been idle for longest, never one that has work."""
    busy = [enter(crowd, "many", idle_s=None) for _ in range(OF_IDENTITY - 2)]
    idle = [enter(crowd, "many", idle_s=seconds) for seconds in (1.0, 2.0)]
    assert enter(crowd, "one")
    assert [False, True] == [one.evicted for one in idle if one]
    assert not any(one.evicted for one in busy if one)
    assert enter(crowd, "many") is None


def test_long_idle_streams_make_room(crowd: Crowd[Stream]) -> None:
    """Where nobody has more than one, a connection without any takes the place of a stream that was long idle."""
    streams = [enter(crowd, f"{number}", idle_s=LONG_IDLE_S * number / 4) for number in range(OF_IDENTITY)]
    assert enter(crowd, "new")
    assert [OF_IDENTITY - 1] == [number for number, one in enumerate(streams) if one and one.evicted]
    assert enter(crowd, "new") is None  # it has one
    for number in range(20):
        enter(crowd, f"more {number}")
    assert [False] * 4 == [one.evicted for one in streams[:4] if one]
    assert OF_IDENTITY == len(crowd)
