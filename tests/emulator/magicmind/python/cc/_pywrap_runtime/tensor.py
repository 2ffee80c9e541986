"""Tensors of a context: inputs that take numpy arrays, outputs that a queue fills."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...common.types import get_numpy_dtype_by_datatype
from .enums import DataType
from .faults import FAULTS
from .results import answers
from .status import Status, refusal


class Tensor:
    """A place for data; made by a Context only."""

    __slots__ = ("__weakref__", "_data", "_dtype", "_rank", "_ready")

    _data: Any
    _dtype: np.dtype[Any]
    _rank: int
    #: Whether `_data` is that of a batch that has been synchronised.
    _ready: bool

    def __init__(self) -> None:
        raise TypeError("Tensor: No constructor defined!")

    @property
    def shape(self) -> tuple[int, ...]:
        return () if self._data is None else tuple(self._data.shape)

    @answers
    def from_numpy(self, array: Any) -> Status:
        """Copy an array in, and take its shape.

        Arrays of the tensor's type, and int64 or float64, which numpy makes unasked, are taken; the latter two
        are cast. Whatever else samples were not seen to pass is refused.
        """
        struck = FAULTS.strike("from_numpy")
        if struck is not None:
            return struck
        if not isinstance(array, np.ndarray):
            raise TypeError(f"from_numpy(): incompatible function arguments: {type(array).__name__}")
        if array.dtype not in (self._dtype, np.dtype(np.int64), np.dtype(np.float64)):
            return refusal(f"from_numpy: {array.dtype} does not become {self._dtype}")
        if not array.flags.c_contiguous:
            return refusal("from_numpy: the array is not contiguous")
        if array.ndim != self._rank:
            return refusal(f"from_numpy: {array.ndim} dimensions, not {self._rank}")
        self._data = array.astype(self._dtype)  # a copy in any case: callers use their arrays again
        return Status.OK()

    def to(self, device: Any) -> Any:
        """Move to a device; data is where the emulator needs it anyway.

        In the form `object` what is given is another tensor, and this one has no data any more.
        """
        from .system import Device

        if not isinstance(device, Device):
            raise TypeError(f"to(): incompatible function arguments: {type(device).__name__}")
        answer: Any = self._reach_card()
        if answer is not self:
            return answer
        moved: Tensor = Tensor.__new__(Tensor)
        moved._data, self._data = self._data, None
        moved._dtype, moved._rank, moved._ready = self._dtype, self._rank, self._ready
        return moved

    @answers
    def _reach_card(self) -> Status:
        return FAULTS.strike("to") or Status.OK()

    def asnumpy(self) -> Any:
        """A copy of the data.

        Raises:
            RuntimeError: nothing is in it: no queue was synchronised since, or it failed.
        """
        struck = FAULTS.strike("asnumpy")
        if struck is not None:
            raise RuntimeError(str(struck))
        if self._data is None or not self._ready:
            raise RuntimeError("asnumpy: there is no data; synchronise the queue first")
        return self._data.copy()


def make_tensor(dtype: DataType, rank: int) -> Tensor:
    """A tensor without data."""
    tensor: Tensor = Tensor.__new__(Tensor)
    tensor._data = None
    tensor._dtype = get_numpy_dtype_by_datatype(dtype)
    tensor._rank = rank
    tensor._ready = True
    return tensor
