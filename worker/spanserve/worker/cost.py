"""What batches cost on this device, measured at the start."""

from __future__ import annotations

from statistics import median

from spanserve.bundle import CostTable, grid_of
from spanserve.device import Device
from spanserve.device.bench import time_shape

#: Times each shape is run; the median counts.
RUNS = 3
#: Seconds of the largest batch beyond which only that one is timed: all shapes would take too long.
LONG_S = 1.0


def prior_cost(device: Device) -> CostTable:
    """What batches cost before any is measured: the bundle's table, unless the kind of device has one."""
    known = _known_cost(device)
    return device.bundle.cost_table() if known is None else known


def _known_cost(device: Device) -> CostTable | None:
    known = device.spec.kind.known_cost
    longest = device.bundle.manifest.max_seq_length
    return None if known is None else known(device.spec, device.max_batch, longest)


def measured_cost(device: Device, prior: CostTable, max_batch: int | None = None) -> CostTable:
    """The cost of batches on a device that nothing else uses.

    A processor's table was timed when the bundle was built, and this one differs by a factor: the largest
    batch shows it. A card's may have only the proportions of published figures, so the whole grid is timed. What is
    known of a device is not measured.

    Args:
        max_batch: largest batch that is to be formed; None: that the device takes.

    Raises:
        DeviceError: the device failed.
    """
    known = _known_cost(device)
    if known is not None:
        return known
    largest = max_batch or device.max_batch, device.bundle.manifest.max_seq_length
    time_shape(device, *largest)  # a first run prepares the shape
    seconds = time_shape(device, *largest)
    if not device.spec.kind.whole_grid or seconds > LONG_S:
        return prior.scaled(seconds / prior.estimate(*largest))
    return CostTable.of(
        *grid_of(device.bundle.manifest, device.max_batch),
        lambda batch, length: median(time_shape(device, batch, length) for _ in range(RUNS)),
    )
