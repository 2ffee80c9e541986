"""Everything at once, as `make chaos` has it for as long as wanted."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from tests.chaos.ground import Ground
from tests.chaos.storm import storm

STORMS = [
    pytest.param(5.0, 1, id="short"),
    *(
        pytest.param(60.0, seed, id=f"long-{seed}", marks=[pytest.mark.long, pytest.mark.timeout(900)])
        for seed in range(2, 5)
    ),
]


@pytest.mark.parametrize(("seconds", "seed"), STORMS)
async def test_a_storm(tmp_path: Path, sim_bundle: Bundle, seconds: float, seed: int) -> None:
    """D70: kills, restarts of Redis, faults of the line, poison and cancels at once: none lost, none counted twice."""
    ground = Ground(
        folder=tmp_path,
        bundle=sim_bundle,
        chance=random.Random(seed),
        deadline=time.monotonic() + seconds,
    )
    classes = await storm(ground, seconds)
    assert classes.expected == classes.terminal
