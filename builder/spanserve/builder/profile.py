"""How long does this device take? The cost table, measured."""

from __future__ import annotations

from statistics import median

import numpy as np

from spanserve.bundle import CostTable, grid_of
from spanserve.device import Device

#: A shape is run so often, or until it has taken so many seconds.
RUNS = 5
ENOUGH_S = 0.3


def measure(device: Device) -> CostTable:
    """Time the shapes of the grid, one batch at a time.

    Raises:
        DeviceError: the device failed.
    """
    batches, lengths = grid_of(device.bundle.manifest)
    return CostTable(
        batches,
        lengths,
        tuple(tuple(_seconds(device, batch, length) for length in lengths) for batch in batches),
    )


def _seconds(device: Device, batch: int, length: int) -> float:
    """Median of a few runs behind one that prepares the shape."""
    ids = np.full((batch, length), device.bundle.manifest.tokenizer.cls_id, np.int32)
    ones, zeros = np.ones_like(ids), np.zeros_like(ids)
    device.compute(ids, ones, zeros)
    times: list[float] = []
    while len(times) < RUNS and sum(times) < ENOUGH_S:
        times.append(device.timed(ids, ones, zeros)[0])
    return median(times)
