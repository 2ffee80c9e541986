"""The weights of the two priorities."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spanserve.doors.redis.share import INTERACTIVE, TURN, Share


@given(st.lists(st.integers(0, 64), max_size=200))
def test_exact_over_time(counts: list[int]) -> None:
    """Whatever the sizes of the claims, interactive gets three quarters of all, to the task."""
    share = Share()
    given_out = [share.of(count) for count in counts]
    assert INTERACTIVE * sum(counts) // TURN == sum(given_out)


def test_single_tasks() -> None:
    """Claims of one task each still leave bulk every fourth."""
    share = Share()
    assert [0, 1, 1, 1] * 3 == [share.of(1) for _ in range(12)]
