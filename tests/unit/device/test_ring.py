"""Slots of shared memory."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spanserve.bundle.manifest import INPUTS, OUTPUTS
from spanserve.device.host.ring import Arrays, Ring

SLOTS, BATCH, LENGTH = 3, 4, 16
TENSORS = (
    [tensor.model_dump(mode="json") for tensor in INPUTS],
    [tensor.model_dump(mode="json") for tensor in OUTPUTS],
)
SHAPE = (SLOTS, BATCH, LENGTH, TENSORS)


def flat(arrays: Arrays) -> list[NDArray[Any]]:
    """All areas of a slot, in their order."""
    return [*arrays.inputs.values(), *arrays.outputs.values()]


@pytest.fixture
def ring() -> Ring:
    return Ring(mmap.mmap(-1, Ring.size(*SHAPE)), *SHAPE)


def test_size() -> None:
    """A slot is 64 bytes of header and five areas of 4 bytes per token."""
    # 3 * (64 + 5 * 4 * 4 * 16) = 3 * 1344
    assert 4032 == Ring.size(*SHAPE)


def test_areas_are_disjoint(ring: Ring) -> None:
    """No header and no area of any slot shares a byte with another."""
    areas = [
        area for slot in range(SLOTS) for area in (ring.header(slot), *flat(ring.arrays(slot, BATCH, LENGTH)))
    ]
    for number, area in enumerate(areas):
        area[:] = number
    for number, area in enumerate(areas):
        assert (area == number).all()
    assert sum(area.nbytes for area in areas) == Ring.size(*SHAPE)


def test_types_and_shapes(ring: Ring) -> None:
    """Inputs are int32, logits float32, all [B, S], contiguous and aligned; a header is eight int64."""
    arrays = flat(ring.arrays(1, 2, 5))
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
    ring.arrays(0, BATCH, LENGTH).inputs["attention_mask"][:] = np.arange(BATCH * LENGTH).reshape(
        BATCH, LENGTH
    )
    assert [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]] == ring.arrays(0, 2, 5).inputs["attention_mask"].tolist()


def test_two_views_of_one_memory(ring: Ring) -> None:
    """What one side writes the other one reads."""
    other = Ring(ring._memory, *SHAPE)
    ring.arrays(2, 1, 3).outputs["end_logits"][:] = 1.5
    ring.header(2)[1] = 2**60
    assert [[1.5] * 3] == other.arrays(2, 1, 3).outputs["end_logits"].tolist()
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


def test_any_signature() -> None:
    """Tensors are as the manifest says: other names, types and sizes that do not change; every one is aligned."""
    tensors = (
        [{"name": "ids", "dtype": "int64", "shape": ["batch", "length"]}],
        [
            {"name": "both", "dtype": "float16", "shape": ["batch", "length", 2]},
            {"name": "pooled", "dtype": "float32", "shape": ["batch", 7]},
        ],
    )
    ring = Ring(mmap.mmap(-1, Ring.size(2, 3, 5, tensors)), 2, 3, 5, tensors)
    arrays = ring.arrays(1, 2, 4)
    assert {"ids": (2, 4)} == {name: array.shape for name, array in arrays.inputs.items()}
    assert {"both": (2, 4, 2), "pooled": (2, 7)} == {
        name: array.shape for name, array in arrays.outputs.items()
    }
    assert ["int64", "float16", "float32"] == [str(array.dtype) for array in flat(arrays)]
    assert all(array.flags.aligned for array in flat(arrays))
