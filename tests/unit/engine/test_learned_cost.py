"""Costs: what is measured at the start, and how they follow the batches that come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest

from spanserve.bundle import Bundle, CostTable, grid_of
from spanserve.device import Device, DeviceSpec
from spanserve.engine.cost import LearnedCost
from spanserve.worker.cost import LONG_S, measured_cost

PRIOR = CostTable((1, 4, 16), (64, 384), ((0.001, 0.002), (0.002, 0.006), (0.004, 0.02)))


@dataclass
class Timed:
    """As much of a device as is timed, with a rule of the test's choice for its seconds."""

    bundle: Bundle
    spec: DeviceSpec
    seconds: Callable[[int, int], float]
    max_batch: int = 16
    runs: list[tuple[int, int]] = field(default_factory=list)

    def timed(self, inputs: Mapping[str, np.ndarray]) -> tuple[float, None]:
        batch, length = inputs["input_ids"].shape
        self.runs.append((batch, length))
        return self.seconds(batch, length), None


def measured(device: Timed) -> CostTable:
    return measured_cost(cast(Device, device), PRIOR)


def test_a_card_is_timed_at_every_shape(sim_bundle: Bundle) -> None:
    """A card's table is its own times, whatever the proportions of the prior; one slow run in three does not count."""

    def seconds(batch: int, length: int) -> float:
        return 1e-5 * batch * length + 0.5 * (len(card.runs) % 3 == 0)

    card = Timed(sim_bundle, DeviceSpec.parse("mlu:0"), seconds)
    table, grid = measured(card), grid_of(sim_bundle.manifest)
    assert grid == (table.batches, table.lengths)
    assert [1e-5 * b * s for b, s in grid.shapes] == [cell for row in table.seconds for cell in row]


def test_only_batches_that_the_worker_makes(sim_bundle: Bundle) -> None:
    """Told to make smaller batches, a worker times none that are larger."""
    card = Timed(sim_bundle, DeviceSpec.parse("mlu:0"), lambda b, s: 1e-5 * b * s, max_batch=6)
    assert (1, 2, 4, 6) == measured(card).batches
    assert 6 == max(batch for batch, _ in card.runs)


@pytest.mark.parametrize(
    ("device", "factor"), [("cpu", 2.0), ("mlu:0", 2 * LONG_S / 0.02)], ids=["cpu", "slow-card"]
)
def test_the_largest_tells_the_factor(sim_bundle: Bundle, device: str, factor: float) -> None:
    """On a processor, and where batches take long, only the largest is timed; the others are in proportion."""
    timed = Timed(sim_bundle, DeviceSpec.parse(device), lambda b, s: factor * PRIOR.estimate(b, s))
    assert PRIOR.scaled(factor) == measured(timed)
    assert {(16, 384)} == set(timed.runs)


def test_follows_what_comes_back() -> None:
    """Batches that take twice as long as estimated bring the whole table to twice the time, a tenth at a time."""
    cost = LearnedCost(PRIOR)
    first = cost.observe(0.04, cost.table.estimate(16, 384))
    assert pytest.approx(0.001 * 1.1) == first.seconds[0][0]
    for _ in range(200):
        cost.observe(0.04, cost.table.estimate(16, 384))
    assert pytest.approx(0.04) == cost.table.estimate(16, 384)
    assert pytest.approx(0.002) == cost.table.estimate(1, 64)
