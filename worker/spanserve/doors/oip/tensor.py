"""Tensors as values of this program, and in the protocol's raw form.

Raw: row-major and little-endian without gaps; of BYTES each element after its length, 4 bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spanserve.contract import Refusal

#: The data types that our models take and give.
BYTES: Final = "BYTES"
INT32: Final = "INT32"
FP32: Final = "FP32"

_NUMBERS = {INT32: np.dtype("<i4"), FP32: np.dtype("<f4")}
_LENGTH = struct.Struct("<I")
#: Flat: bytes, or numbers of the data type.
Values = Sequence[Any] | NDArray[Any]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor that a model takes or gives; -1 in the shape is any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """An output; `values` are flat, in row-major order."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Values

    def to_raw(self) -> bytes:
        """The raw form."""
        if self.datatype != BYTES:
            return np.asarray(self.values, _NUMBERS[self.datatype]).tobytes()
        return b"".join(part for value in self.values for part in (_LENGTH.pack(len(value)), value))


def from_raw(field: str, datatype: str, shape: Sequence[int], data: bytes) -> Values:
    """The values of an input in its raw form.

    Raises:
        Refusal: its length is not that of its shape; names `field`.
    """
    count = math.prod(shape)
    if datatype == BYTES:
        return _texts(field, count, data)
    expected = count * _NUMBERS[datatype].itemsize
    if len(data) != expected:
        raise Refusal.invalid(
            field,
            "raw contents do not have the length that the shape requires",
            value=f"{len(data)} bytes",
            limit=f"{expected} bytes",
        )
    return np.frombuffer(data, _NUMBERS[datatype])


def from_list(field: str, datatype: str, shape: Sequence[int], data: Collection[Any]) -> Values:
    """The values of an input from a list: bytes or numbers.

    Raises:
        Refusal: there are more or fewer than its shape asks for; names `field`.
    """
    count = math.prod(shape)
    if len(data) != count:  # before they are copied: there may be as many as bytes
        raise Refusal.invalid(
            field,
            "the number of contents is not what the shape requires",
            value=f"{len(data)} elements",
            limit=f"{count} elements",
        )
    values = list(data)
    return values if datatype == BYTES else np.array(values, _NUMBERS[datatype])


def _texts(field: str, count: int, data: bytes) -> list[bytes]:
    values: list[bytes] = []
    at = 0
    while len(values) < count and at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            break
        values.append(data[at : at + length])
        at += length
    if len(values) != count or at != len(data):
        raise Refusal.invalid(
            field,
            "raw contents are not the elements that the shape requires, each after its length of 4 bytes",
            value=f"{len(values)} whole elements in {len(data)} bytes",
            limit=f"{count} elements and nothing after them",
        )
    return values
