"""Slots are measured on a device that computes."""

from __future__ import annotations

from spanserve.bundle import Bundle
from spanserve.worker.cost import LONG_S
from spanserve.worker.slots import measure_slots
from tests.kit.serving import rig


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
