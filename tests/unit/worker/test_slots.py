"""Slots: as few as are nearly as good as the best."""

from __future__ import annotations

import pytest

from spanserve.device import DeviceSpec
from spanserve.worker.slots import enough_slots, slots_to_begin


@pytest.mark.parametrize(
    ("rates", "slots"),
    [
        pytest.param({1: 50, 2: 100, 3: 102}, 2, id="two-chips"),
        pytest.param({1: 50, 2: 97, 3: 100}, 2, id="within-three-percent"),
        pytest.param({1: 50, 2: 96.9, 3: 100}, 3, id="not-within"),
        pytest.param({1: 100, 2: 98, 3: 100}, 2, id="two-rather-than-one"),
        pytest.param({1: 100, 2: 90, 3: 91}, 1, id="one-where-more-are-worse"),
        pytest.param({1: 100, 2: 90, 3: 98}, 3, id="three-rather-than-one"),
        pytest.param({1: 10, 2: 20, 3: 19}, 2, id="more-is-worse"),
        pytest.param({}, 2, id="nothing-measured"),
    ],
)
def test_enough(rates: dict[int, float], slots: int) -> None:
    """The fewest within 3 % of the best are kept, but two rather than one."""
    assert slots == enough_slots(rates)


@pytest.mark.parametrize(("threads", "slots"), [(1, 2), (4, 5), (255, 256), (1024, 256)])
def test_to_begin(threads: int, slots: int) -> None:
    """A CPU begins with a slot more than threads, and never with more than a worker may be given."""
    assert slots == slots_to_begin(DeviceSpec.parse(f"cpu?threads={threads}"))
