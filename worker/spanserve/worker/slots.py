"""How many batches should be with a card at a time? That is not published, so it is measured at the start."""

from __future__ import annotations

import math
from collections.abc import Mapping

from spanserve.device import Device, DeviceSpec
from spanserve.device.bench import measure_device
from spanserve.device.handle import thread_share
from spanserve.device.limits import MAX_SLOTS
from spanserve.worker.cost import LONG_S

#: Slots that are kept rather than one: with one the card would wait while the worker reads logits and fills the
#: next batch, which a bare measurement hardly shows, and small batches feel.
FEW = 2
#: Part of the best rate that is good enough.
ENOUGH = 0.97
#: Seconds, roughly, for each number of slots.
_MOMENT_S = 0.3
#: Batches come in such multiples, so that 1, 2 and 3 slots are all filled to the last batch.
_MULTIPLE = 6


def slots_to_begin(spec: DeviceSpec) -> int:
    """How many slots a device is started with; what it turns out to need is not more."""
    kind = spec.kind
    if kind.own_lanes:
        return min(max(kind.slots, thread_share(spec).threads + 1), MAX_SLOTS)
    return max(kind.slots, kind.most_slots)


def measure_slots(device: Device, seconds: float) -> dict[int, float]:
    """Windows per second of the largest shape by slots, from one to as many as the device has.

    Args:
        device: started, with no slot in use.
        seconds: what one such batch takes. After long ones there are no rates.

    Raises:
        DeviceError: the device failed.
    """
    if seconds > LONG_S:  # next to such batches, what a worker does between two of them does not matter
        return {}
    manifest = device.bundle.manifest
    rates = {}
    for slots in range(1, device.slots + 1):
        device.use_slots(slots)
        rates[slots] = measure_device(
            device,
            device.max_batch,
            manifest.max_seq_length,
            warmup_s=0,
            duration_s=0,
            iterations=_MULTIPLE * math.ceil(_MOMENT_S / seconds / _MULTIPLE),
            token_id=manifest.tokenizer.cls_id,
        ).throughput
    return rates


def enough_slots(rates: Mapping[int, float]) -> int:
    """The fewest slots that are nearly as good as the best; one only where more are worse."""
    enough = [slots for slots, rate in rates.items() if rate >= ENOUGH * max(rates.values())]
    return min((slots for slots in enough if slots >= FEW), default=min(enough, default=FEW))
