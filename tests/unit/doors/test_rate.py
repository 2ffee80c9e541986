"""How often a caller may ask: each for itself, and one that goes on asking gets the rate."""

from __future__ import annotations

from spanserve.doors.rate import RateLimit


def test_rate() -> None:
    """A burst, then the rate; others are not concerned, and nobody saves up more than a burst."""
    now = 0.0
    limit = RateLimit(2.0, 3.0, keys=2, clock=lambda: now)
    assert [True, True, True, False] == [limit.allow("a") for _ in range(4)]
    assert limit.allow("b")
    now = 0.5
    assert [True, False] == [limit.allow("a") for _ in range(2)]
    now = 1000.0
    assert 3 == sum(limit.allow("a") for _ in range(9))


def test_memory() -> None:
    """Only so many are remembered; of those the silent are forgotten first."""
    limit = RateLimit(0.001, 1.0, keys=2, clock=lambda: 0.0)
    assert [True, True, False, True, True] == [limit.allow(key) for key in ("a", "b", "a", "c", "b")]
