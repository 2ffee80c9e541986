"""Contents of tensors: the raw form and lists, and every way in which they do not fit a shape."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.contract import Refusal
from spanserve.doors.oip.tensor import BYTES, FP32, INT32, Tensor, from_list, from_raw


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_texts_both_ways(values: list[bytes]) -> None:
    """BYTES in the raw form are read as they were written."""
    raw = Tensor("t", BYTES, (len(values),), values).to_raw()
    assert values == from_raw("t", BYTES, (len(values),), raw)


def test_texts_as_others_write_them() -> None:
    """Every element stands behind its length, little-endian in 4 bytes."""
    assert b"\x02\0\0\0ab\0\0\0\0" == Tensor("t", BYTES, (2,), [b"ab", b""]).to_raw()


def test_numbers() -> None:
    """Numbers are little-endian and row-major."""
    raw = struct.pack("<6i", 1, -2, 3, 4, 5, 6)
    assert raw == Tensor("t", INT32, (2, 3), np.array([1, -2, 3, 4, 5, 6])).to_raw()
    assert [1, -2, 3, 4, 5, 6] == list(from_raw("t", INT32, (2, 3), raw))
    assert struct.pack("<2f", 0.5, -1.5) == Tensor("t", FP32, (2,), [0.5, -1.5]).to_raw()


@given(st.binary(max_size=40), st.integers(0, 6))
def test_any_bytes(data: bytes, count: int) -> None:
    """Whatever comes as BYTES, it is so many elements and nothing else, or refused."""
    with contextlib.suppress(Refusal):
        values = from_raw("t", BYTES, (count,), data)
        assert count == len(values)
        assert data == Tensor("t", BYTES, (count,), values).to_raw()


@pytest.mark.parametrize(
    ("datatype", "shape", "data"),
    [
        (INT32, (2, 3), b"\0" * 23),
        (INT32, (2, 3), b"\0" * 28),
        (BYTES, (1,), b""),
        (BYTES, (1,), b"\x05\0\0\0abcd"),
        (BYTES, (1,), b"\0\0\0"),
        (BYTES, (1,), b"\0\0\0\0\0"),
        (BYTES, (1,), b"\xff\xff\xff\xff"),
        (BYTES, (2,), b"\x01\0\0\0a"),
    ],
)
def test_raw_of_another_length(datatype: str, shape: tuple[int, ...], data: bytes) -> None:
    """Raw contents that are not what the shape requires are refused with both lengths."""
    with pytest.raises(Refusal, match=r"^INVALID_ARGUMENT: inputs\.t: .*found .*, limit ") as caught:
        from_raw("inputs.t", datatype, shape, data)
    assert str(len(data)) in caught.value.value


def test_lists() -> None:
    """Typed contents are counted against the shape."""
    assert [b"a", b"b"] == list(from_list("t", BYTES, (2, 1), [b"a", b"b"]))
    assert np.array_equal([1, 2], from_list("t", INT32, (2,), [1, 2]))
    with pytest.raises(Refusal, match="found 1 elements, limit 2 elements"):
        from_list("t", INT32, (2,), [1])


def test_surplus_contents_are_not_copied() -> None:
    """The number of typed contents suffices to refuse them, however many a message has."""

    class Many(list[bytes]):
        def __iter__(self) -> Iterator[bytes]:
            raise AssertionError("taken one by one")

    with pytest.raises(Refusal, match="found 1000 elements, limit 1 elements"):
        from_list("t", BYTES, (1,), Many([b""] * 1000))
