"""Slots: as few as are nearly as good as the best."""

from __future__ import annotations

import pytest

from spanserve.bundle import Bundle
from spanserve.worker.cost import LONG_S
from spanserve.worker.slots import enough_slots, measure_slots
from tests.kit.serving import rig


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


async def test_measured_by_rate(sim_bundle: Bundle) -> None:
    """Each number of slots is tried on the device itself, unless batches are long; then it is told how many to use."""
    async with rig(sim_bundle, "sim:fixed?latency_ms=20", slots=3) as made:
        rates = measure_slots(made.device, 0.02)
        assert [1, 2, 3] == list(rates)
        # 16 windows in 20 ms at the most, times the slots
        assert all(0 < rate <= 800 * slots for slots, rate in rates.items())
        assert {} == measure_slots(made.device, LONG_S + 1)
        made.device.use_slots(2)
        held = made.block()
        assert 2 == len(held) == made.device.slots
        for slot in held:
            slot.release()
