"""Shares: who has had least of the device, by identity, connection and stream."""

from __future__ import annotations

from spanserve.engine.caller import Caller
from spanserve.engine.shares import FORGOTTEN_AT, Shares

ONE, OTHER = Caller("one"), Caller("other")


def waiting(*callers: Caller) -> Shares:
    shares = Shares()
    for caller in callers:
        shares.come(caller)
    return shares


def serve(shares: Shares, caller: Caller, cost: float) -> None:
    """A row is served, and another one comes."""
    shares.come(caller)
    shares.go(caller, 1, cost)


def test_alone_nobody_is_behind() -> None:
    """One caller is the least and behind nobody, whatever it has had."""
    shares = waiting(ONE)
    serve(shares, ONE, 100.0)
    assert (False, (ONE, 0.0)) == (shares.several, shares.least())


def test_behind() -> None:
    """Who has had less is behind by the difference, over the weight of its identity."""
    heavy = Caller("heavy", 4.0)
    shares = waiting(ONE, heavy)
    serve(shares, ONE, 10.0)
    serve(shares, heavy, 20.0)
    assert (heavy, 10.0 - 20.0 / 4.0) == shares.least()


def test_connections_before_streams() -> None:
    """A connection with many streams is one among the connections of its identity."""
    single = Caller("a", 1.0, "single", "x")
    many = [Caller("a", 1.0, "many", f"{number}") for number in range(10)]
    shares = waiting(single, *many)
    for one in many:
        serve(shares, one, 1.0)
    serve(shares, single, 5.0)
    assert (single, 5.0) == shares.least()
    serve(shares, single, 6.0)
    assert shares.least()[0] in many


def test_nobody_saves_up() -> None:
    """A caller that comes back from a pause starts even with the least of the others."""
    shares = waiting(ONE, OTHER)
    shares.go(OTHER, 1, 0.0)
    serve(shares, ONE, 50.0)
    shares.come(OTHER)
    assert 0.0 == shares.least()[1]
    serve(shares, ONE, 1.0)
    assert (OTHER, 1.0) == shares.least()


def test_what_was_had_is_remembered() -> None:
    """A caller that was ahead when it paused is still ahead when it comes back at once."""
    shares = waiting(ONE, OTHER)
    serve(shares, OTHER, 30.0)
    shares.go(OTHER, 1, 0.0)
    shares.come(OTHER)
    assert (ONE, 30.0) == shares.least()


def test_new_streams_are_no_way_around() -> None:
    """What the streams of a connection have had counts for the next one it opens."""
    plain = Caller("a", 1.0, "plain")
    shares = waiting(plain)
    for number in range(100):
        fresh = Caller("a", 1.0, "many", f"{number}")
        shares.come(fresh)
        shares.go(fresh, 1, 1.0)
    shares.come(Caller("a", 1.0, "many", "last"))
    assert (plain, 100.0) == shares.least()


def test_who_has_gone_is_forgotten() -> None:
    """Memory is that of who waits, and of the few that are ahead."""
    shares = waiting(ONE)
    for number in range(1000):
        serve(shares, ONE, 1.0)
        passing = Caller(f"{number}")
        shares.come(passing)
        shares.go(passing, 1, 0.5)
    assert len(shares._root.parts) <= FORGOTTEN_AT + 4
    shares.go(ONE, 1, 0.0)
    assert not shares._root.parts
