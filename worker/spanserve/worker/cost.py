"""What batches cost on this very device, measured at the start."""

from __future__ import annotations

from statistics import median

from spanserve.bundle import CostTable, grid_of
from spanserve.device import Device
from spanserve.device.bench import time_shape

#: Times each shape is run; the median counts.
RUNS = 3
#: Seconds of the largest batch beyond which only that one is timed: all shapes would take too long.
LONG_S = 1.0


def measured_cost(device: Device, prior: CostTable) -> CostTable:
    """The cost of batches on a device that nothing else uses.

    A processor's table was timed when the bundle was built, and the one at hand differs by a factor: the largest
    batch tells it. A card's may have only the proportions of published figures, so the whole grid is timed.

    Raises:
        DeviceError: the device failed.
    """
    largest = device.max_batch, device.bundle.manifest.max_seq_length
    time_shape(device, *largest)  # a first run prepares the shape
    seconds = time_shape(device, *largest)
    if device.spec.backend != "mlu" or seconds > LONG_S:
        return prior.scaled(seconds / prior.estimate(*largest))
    return CostTable.of(
        *grid_of(device.bundle.manifest, device.max_batch),
        lambda batch, length: median(time_shape(device, batch, length) for _ in range(RUNS)),
    )
