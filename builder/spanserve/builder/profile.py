"""How long does this device take? The cost table, measured."""

from __future__ import annotations

from functools import partial
from statistics import median

from spanserve.bundle import CostTable, grid_of
from spanserve.device import Device
from spanserve.device.bench import time_shape

#: A shape is run this many times, or until it has taken this many seconds.
RUNS = 5
ENOUGH_S = 0.3


def measure(device: Device) -> CostTable:
    """Time the shapes of the grid, one batch at a time.

    Raises:
        DeviceError: the device failed.
    """
    return CostTable.of(*grid_of(device.bundle.manifest), partial(_seconds, device))


def _seconds(device: Device, batch: int, length: int) -> float:
    """Median of a few runs after one that prepares the shape."""
    time_shape(device, batch, length)
    times: list[float] = []
    while len(times) < RUNS and sum(times) < ENOUGH_S:
        times.append(time_shape(device, batch, length))
    return median(times)
