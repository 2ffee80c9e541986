"""How often a device host may die: twice within a minute, at any time."""

from __future__ import annotations

import pytest

from spanserve.engine.deaths import DeathBudget

# Times of deaths in seconds, and whether the device is given up at the last of them.
DEATHS = {
    "none": ([], False),
    "two-at-once": ([5.0, 5.0], False),
    "three-at-once": ([5.0, 5.0, 5.0], True),
    "three-in-a-minute": ([0.0, 30.0, 60.0], True),
    "three-in-a-little-more": ([0.0, 30.0, 60.1], False),
    "one-every-31-s": ([31.0 * number for number in range(20)], False),
    "one-every-29-s": ([29.0 * number for number in range(3)], True),
}


@pytest.mark.parametrize(("times", "expected"), DEATHS.values(), ids=DEATHS)
def test_budget(times: list[float], expected: bool) -> None:
    """The third death within sixty seconds gives the device up; deaths further apart are forgotten."""
    budget = DeathBudget()
    for time in times[:-1]:
        budget.charge(time)
        assert "" == budget.verdict(time)
    if times:
        budget.charge(times[-1])
    reason = budget.verdict(times[-1] if times else 0.0)
    assert expected == bool(reason)
    assert not reason or "3 times within 60 s" in reason
