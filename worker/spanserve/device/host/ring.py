"""The ring: slots of shared memory through which batches reach the device and logits come back.

    slot := header int64 [8] | ids | mask | types  int32 [B, S] each | start | end  float32 [B, S] each

B and S here are the largest batch and length; a smaller batch uses the front of each area, contiguously.
Only the owner of a slot touches its areas: the worker while it fills and reads, the host in between. The
header is written by the host and read by the worker at any time, also after the host has died.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import mmap

    from numpy.typing import NDArray

#: header[STATE]: what the host is doing with the slot.
STATE = 0
IDLE, RUNNING = 0, 1
#: header[BEGAN]: nanoseconds of CLOCK_MONOTONIC, the same in every process, when the host began to run it.
BEGAN = 1

_HEADER_BYTES = 64


class Arrays(NamedTuple):
    """The areas of one slot for a batch of B windows of S tokens."""

    ids: NDArray[np.int32]  # [B, S]
    mask: NDArray[np.int32]  # [B, S]
    types: NDArray[np.int32]  # [B, S]
    start: NDArray[np.float32]  # [B, S]
    end: NDArray[np.float32]  # [B, S]


class Ring:
    """Typed views over the shared memory.

    Args:
        memory: at least `size(...)` bytes.
        slots, batch, length: as given to `size`.
    """

    def __init__(self, memory: mmap.mmap, slots: int, batch: int, length: int) -> None:
        self.slots = slots
        self.batch = batch
        self.length = length
        self._memory = memory

    @staticmethod
    def size(slots: int, batch: int, length: int) -> int:
        """Bytes of a ring."""
        return slots * (_HEADER_BYTES + 5 * 4 * batch * length)

    def header(self, slot: int) -> NDArray[np.int64]:
        """The header of a slot, int64 [8]."""
        return np.frombuffer(self._memory, np.int64, _HEADER_BYTES // 8, self._offset(slot))

    def arrays(self, slot: int, batch: int, length: int) -> Arrays:
        """The areas of a slot, cut to `batch` windows of `length` tokens."""
        if not (0 <= slot < self.slots and 0 < batch <= self.batch and 0 < length <= self.length):
            raise ValueError(
                f"batch {batch} x {length} in slot {slot} does not fit a ring of "
                f"{self.slots} slots of {self.batch} x {self.length}"
            )
        area = 4 * self.batch * self.length
        first = self._offset(slot) + _HEADER_BYTES

        def ints(index: int) -> NDArray[np.int32]:
            flat = np.frombuffer(self._memory, np.int32, batch * length, first + index * area)
            return flat.reshape(batch, length)

        def floats(index: int) -> NDArray[np.float32]:
            flat = np.frombuffer(self._memory, np.float32, batch * length, first + index * area)
            return flat.reshape(batch, length)

        return Arrays(ints(0), ints(1), ints(2), floats(3), floats(4))

    def _offset(self, slot: int) -> int:
        return slot * (_HEADER_BYTES + 5 * 4 * self.batch * self.length)
