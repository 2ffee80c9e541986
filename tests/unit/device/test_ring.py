"""Slots of shared memory."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from spanserve.device.host.ring import Ring

SLOTS, BATCH, LENGTH = 3, 4, 16


@pytest.fixture
def ring() -> Ring:
    return Ring(mmap.mmap(-1, Ring.size(SLOTS, BATCH, LENGTH)), SLOTS, BATCH, LENGTH)


def test_size() -> None:
    """A slot is 64 bytes of header and five areas of 4 bytes per token."""
    # 3 * (64 + 5 * 4 * 4 * 16) = 3 * 1344
    assert 4032 == Ring.size(SLOTS, BATCH, LENGTH)


def test_areas_are_disjoint(ring: Ring) -> None:
    """No header and no area of any slot shares a byte with another."""
    areas = [area for slot in range(SLOTS) for area in (ring.header(slot), *ring.arrays(slot, BATCH, LENGTH))]
    for number, area in enumerate(areas):
        area[:] = number
    for number, area in enumerate(areas):
        assert (area == number).all()
    assert sum(area.nbytes for area in areas) == Ring.size(SLOTS, BATCH, LENGTH)


def test_types_and_shapes(ring: Ring) -> None:
    """Inputs are int32, logits float32, all [B, S], contiguous and aligned; a header is eight int64."""
    arrays = ring.arrays(1, 2, 5)
    assert [np.int32] * 3 + [np.float32] * 2 == [array.dtype for array in arrays]
    for array in arrays:
        assert (2, 5) == array.shape
        assert array.flags.c_contiguous
        assert array.flags.aligned
        assert array.flags.writeable
    assert (8,) == ring.header(1).shape
    assert np.int64 == ring.header(1).dtype


def test_small_batch_uses_the_front(ring: Ring) -> None:
    """A smaller batch lies at the front of the area that a full one has, row behind row."""
    ring.arrays(0, BATCH, LENGTH).mask[:] = np.arange(BATCH * LENGTH).reshape(BATCH, LENGTH)
    assert [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]] == ring.arrays(0, 2, 5).mask.tolist()


def test_two_views_of_one_memory(ring: Ring) -> None:
    """What one side writes the other one reads."""
    other = Ring(ring._memory, SLOTS, BATCH, LENGTH)
    ring.arrays(2, 1, 3).end[:] = 1.5
    ring.header(2)[1] = 2**60
    assert [[1.5] * 3] == other.arrays(2, 1, 3).end.tolist()
    assert 2**60 == other.header(2)[1]


@pytest.mark.parametrize(
    ("slot", "batch", "length"),
    [(3, 1, 1), (-1, 1, 1), (0, 5, 1), (0, 0, 1), (0, 1, 17), (0, 1, 0)],
    ids=["slot-beyond", "slot-negative", "batch-beyond", "batch-0", "length-beyond", "length-0"],
)
def test_out_of_bounds(ring: Ring, slot: int, batch: int, length: int) -> None:
    """A batch that does not fit never becomes a view; the message says what would."""
    with pytest.raises(ValueError, match=rf"batch {batch} x {length} in slot {slot} .* 3 slots of 4 x 16"):
        ring.arrays(slot, batch, length)
