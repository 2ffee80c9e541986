"""The moving average."""

from __future__ import annotations

import pytest

from spanserve.engine.average import MovingAverage


def test_follows() -> None:
    """Each value moves the average by its weight, and what stays the same is reached."""
    average = MovingAverage(8.0, 0.25)
    assert [7.0, 6.25] == [average.add(4.0), average.add(4.0)]
    for _ in range(200):
        average.add(4.0)
    assert pytest.approx(4.0) == average.value
