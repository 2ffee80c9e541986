"""What the engine needs of a device: slots for batches, and futures of outputs. `spanserve.device.Device` is one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from spanserve.engine.pipeline import Inputs, Outputs


class Slot(Protocol):
    """A place for one batch, from `acquire` to `release`. Batch and length are those the batch is submitted with."""

    def inputs(self, batch: int, length: int) -> Inputs:
        """To be filled before `submit`: int32 [batch, length] each."""

    def outputs(self, batch: int, length: int) -> Outputs:
        """Copies of what the batch gave: float32 [batch, length] each."""

    def submit(self, batch: int, length: int, timeout_s: float, lane: int | None = None) -> Future[float]:
        """Run the batch, in a certain lane if one is given; the seconds it ran, or BatchFailed or HostDied."""

    def release(self) -> None:
        """Give the slot back."""


class Accelerator(Protocol):
    """Runs batches."""

    #: Called, in any thread, when the device has died.
    on_death: Callable[[], object]

    @property
    def slots(self) -> int:
        """Batches it takes at a time, at most."""

    @property
    def lanes(self) -> int:
        """Batches it computes at a time, each in a lane of its own; counted from 0."""

    @property
    def starts(self) -> int:
        """How many times it was started."""

    def acquire(self) -> Slot | None:
        """A free slot, or None."""
