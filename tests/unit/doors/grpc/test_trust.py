"""Trust in connections: who sends what comes to nothing is looked at more slowly."""

from __future__ import annotations

from spanserve.doors.grpc.trust import MANY, MOST_PAUSE_S, Trust
from tests.kit.clock import Clock


def lose(trust: Trust, name: str, times: int) -> None:
    for _ in range(times):
        trust.lose(name)


def test_some_may_come_to_nothing() -> None:
    """A connection waits for nothing until it has used up what it had."""
    trust = Trust(4, 2, Clock())
    lose(trust, "a", 3)
    assert 0 == trust.pause_s("a") == trust.pause_s("b")
    trust.lose("a")
    assert trust.is_lost("a")
    assert not trust.is_lost("b")
    assert 0.5 == trust.pause_s("a")
    assert 0 == trust.pause_s("b")


def test_one_after_the_other() -> None:
    """What comes at once is looked at one by one, at the pace at which trust comes back."""
    clock = Clock()
    trust = Trust(4, 2, clock)
    lose(trust, "a", 10)
    assert [0.5, 1.0, 3.0] == [trust.pause_s("a"), trust.pause_s("a"), trust.pause_s("a", 4)]
    clock.now += 2
    assert 1.5 == trust.pause_s("a")
    for _ in range(100):
        longest = trust.pause_s("a")
    assert MOST_PAUSE_S == longest


def test_trust_comes_back() -> None:
    """Time gives it back, all of it in the end; what is owed is bounded."""
    clock = Clock()
    trust = Trust(4, 2, clock)
    lose(trust, "a", 1000)
    clock.now += 2.5
    assert not trust.is_lost("a")
    clock.now += 100
    lose(trust, "a", 3)
    assert not trust.is_lost("a")


def test_many_without_it() -> None:
    """Where many connections have none, each goes slower: all of them together cost no more."""
    trust = Trust(1, 1, Clock())
    for number in range(2 * MANY):
        lose(trust, str(number), 2)
    assert 2.0 == trust.pause_s("0")


def test_those_who_are_forgotten() -> None:
    """Who has all of it again is forgotten, and the oldest where there are too many."""
    clock = Clock()
    trust = Trust(1, 1, clock, connections=2)
    for name in "abc":
        lose(trust, name, 2)
    assert [False, True, True] == [trust.is_lost(name) for name in "abc"]
    clock.now += 100
    lose(trust, "d", 2)
    assert 1 == len(trust._connections)


def test_a_socket_file() -> None:
    """All its clients look like one connection, so none is judged by another."""
    trust = Trust(1, 1, Clock())
    lose(trust, "unix:", 5)
    assert not trust.is_lost("unix:")
    assert 0 == trust.pause_s("unix:")
