"""The ring: slots of shared memory through which batches reach the device and logits come back.

    slot := header int64 [8] | an area for each input | an area for each output

What inputs and outputs there are, the bundle's manifest says: their names, types and shapes. An area is as large as
the largest batch B of the longest windows S needs; a smaller batch uses the front of it, contiguously.
Only the owner of a slot touches its areas: the worker while it fills and reads, the host in between. The
header is written by the host and read by the worker at any time, also after the host has died.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import mmap

    from numpy.typing import NDArray

    #: Inputs and outputs, each as in the manifest.
    Tensors = tuple[list[dict[str, Any]], list[dict[str, Any]]]

#: header[STATE]: what the host is doing with the slot.
STATE = 0
IDLE, RUNNING = 0, 1
#: header[BEGAN]: nanoseconds of CLOCK_MONOTONIC, the same in every process, when the host began to run it.
BEGAN = 1

_HEADER_BYTES = _LINE_BYTES = 64


class Arrays(NamedTuple):
    """The areas of one slot for a batch of B windows of S tokens, by the names that the manifest gives them."""

    inputs: dict[str, NDArray[Any]]
    outputs: dict[str, NDArray[Any]]


class Ring:
    """Typed views over the shared memory.

    Args:
        memory: at least `size(...)` bytes.
        slots, batch, length, tensors: as given to `size`.
    """

    def __init__(self, memory: mmap.mmap, slots: int, batch: int, length: int, tensors: Tensors) -> None:
        self.slots = slots
        self.batch = batch
        self.length = length
        self._memory = memory
        self._areas: list[tuple[_Area, ...]] = []
        end = _HEADER_BYTES
        for group in tensors:
            areas = []
            for tensor in group:
                dtype = np.dtype(tensor["dtype"])
                areas.append(_Area(tensor["name"], dtype, end, tuple(tensor["shape"])))
                end += _area_bytes(tensor, batch, length)
            self._areas.append(tuple(areas))
        self._slot_bytes = end

    @staticmethod
    def size(slots: int, batch: int, length: int, tensors: Tensors) -> int:
        """Bytes of a ring.

        Args:
            batch, length: largest of a batch.
            tensors: inputs and outputs, as in the manifest: `{"name", "dtype", "shape"}` each.
        """
        areas = (_area_bytes(tensor, batch, length) for group in tensors for tensor in group)
        return slots * (_HEADER_BYTES + sum(areas))

    def header(self, slot: int) -> NDArray[np.int64]:
        """The header of a slot, int64 [8]."""
        return np.frombuffer(self._memory, np.int64, _HEADER_BYTES // 8, slot * self._slot_bytes)

    def arrays(self, slot: int, batch: int, length: int) -> Arrays:
        """The areas of a slot, cut to `batch` windows of `length` tokens."""
        if not (0 <= slot < self.slots and 0 < batch <= self.batch and 0 < length <= self.length):
            raise ValueError(
                f"batch {batch} x {length} in slot {slot} does not fit a ring of "
                f"{self.slots} slots of {self.batch} x {self.length}"
            )
        first = slot * self._slot_bytes

        def views(areas: tuple[_Area, ...]) -> dict[str, NDArray[Any]]:
            found = {}
            for area in areas:
                shape = _sizes(area.shape, batch, length)
                flat = np.frombuffer(self._memory, area.dtype, _product(shape), first + area.offset)
                found[area.name] = flat.reshape(shape)
            return found

        return Arrays(*map(views, self._areas))


class _Area(NamedTuple):
    """Where a tensor lies in every slot, in bytes from its beginning."""

    name: str
    dtype: Any
    offset: int
    shape: Any


def _area_bytes(tensor: dict[str, Any], batch: int, length: int) -> int:
    """What a tensor needs; whole cache lines, so that every area is aligned."""
    wanted = int(np.dtype(tensor["dtype"]).itemsize) * _product(_sizes(tensor["shape"], batch, length))
    return -(-wanted // _LINE_BYTES) * _LINE_BYTES


def _sizes(shape: Any, batch: int, length: int) -> list[int]:
    """A shape with numbers in place of its names."""
    named = {"batch": batch, "length": length}
    return [named.get(size, size) for size in shape]


def _product(sizes: list[int]) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product
