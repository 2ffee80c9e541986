"""How long does this device take? The cost table, measured."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

from spanserve.bundle import CostTable
from spanserve.device import Device

_LENGTHS = (16, 32, 64, 128, 256, 384, 512)
#: A shape is run so often, or until it has taken so many seconds.
RUNS = 5
ENOUGH_S = 0.3


def measure(device: Device) -> CostTable:
    """Time batches of 1, 2, 4, ... windows at several lengths, one batch at a time.

    Raises:
        DeviceError: the device failed.
    """
    manifest = device.bundle.manifest
    batches = _up_to(manifest.max_batch_size, [2**power for power in range(10)])
    # A graph may take a few lengths only: those that a worker pads to.
    padded = sorted({manifest.padded_length(length) for length in _LENGTHS})
    lengths = _up_to(manifest.max_seq_length, padded)
    return CostTable(
        batches,
        lengths,
        tuple(tuple(_seconds(device, batch, length) for length in lengths) for batch in batches),
    )


def _up_to(limit: int, points: Sequence[int]) -> tuple[int, ...]:
    return (*(point for point in points if point < limit), limit)


def _seconds(device: Device, batch: int, length: int) -> float:
    """Median of a few runs behind one that prepares the shape."""
    ids = np.full((batch, length), device.bundle.manifest.tokenizer.cls_id, np.int32)
    ones = np.ones_like(ids)
    device.compute(ids, ones, ones)
    times: list[float] = []
    while len(times) < RUNS and sum(times) < ENOUGH_S:
        times.append(device.timed(ids, ones, ones)[0])
    return median(times)
