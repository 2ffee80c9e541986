"""Tensors: inputs that take numpy arrays, outputs that a queue fills, and those that programs make themselves."""

from __future__ import annotations

from typing import Any, Iterable

import numpy as np

from ...common.types import get_datatype_by_numpy, get_numpy_dtype_by_datatype
from . import memory
from .enums import DataType, TensorLocation
from .faults import FAULTS
from .results import answers
from .status import Status, refusal


class Tensor:
    """A place for data on a card.

    Args:
        shape, dtype: of what will lie in it.
        location: where; only the card is known.
    """

    __slots__ = ("__weakref__", "_data", "_dtype", "_made_for", "_rank", "_ready", "_shape")

    def __init__(
        self, shape: Iterable[int], dtype: DataType, location: TensorLocation = TensorLocation.kMLU
    ) -> None:
        if not isinstance(dtype, DataType) or not isinstance(location, TensorLocation):
            raise TypeError("Tensor(): incompatible constructor arguments")
        self._data: Any = None
        self._dtype: np.dtype[Any] = get_numpy_dtype_by_datatype(dtype)
        #: What it is to hold, while nothing is in it; -1 where that is not known.
        self._shape = tuple(shape)
        #: How many dimensions an array may have; None: any number.
        self._rank: int | None = len(self._shape)
        #: Whether `_data` is that of a batch that has been synchronised.
        self._ready = True
        #: Of an output: the shapes of the inputs that it has room for; None: of any.
        self._made_for: list[tuple[int, ...]] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape if self._data is None else tuple(self._data.shape)

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
        if self._rank not in (None, array.ndim):
            return refusal(f"from_numpy: {array.ndim} dimensions, not {self._rank}")
        self._data = array.astype(self._dtype)  # a copy in any case: callers use their arrays again
        return Status.OK()

    @answers
    def memcpy_from_host(self, array: Any) -> Status:
        """Copy the bytes of an array in. The tensor keeps its type and shape, so both have to be known and fit."""
        struck = FAULTS.strike("memcpy_from_host")
        if struck is not None:
            return struck
        if not isinstance(array, np.ndarray):
            raise TypeError(f"memcpy_from_host(): incompatible function arguments: {type(array).__name__}")
        if -1 in self.shape:
            return refusal(f"memcpy_from_host: the shape {list(self.shape)} is not known; resize first")
        count = int(np.prod(self.shape, dtype=np.int64))
        if (array.dtype, array.size) != (self._dtype, count):
            return refusal(f"memcpy_from_host: {array.size} of {array.dtype} for {count} of {self._dtype}")
        self._data = np.array(array, order="C").reshape(self.shape)
        return Status.OK()

    @answers
    def resize(self, shape: Iterable[int]) -> Status:
        """Be a place for another shape; what was in it is gone."""
        wanted = tuple(shape)
        if any(size < 0 for size in wanted) or self._rank not in (None, len(wanted)):
            return refusal(f"resize: {list(wanted)} is no shape of {self._rank} dimensions")
        self._shape, self._data = wanted, None
        return Status.OK()

    @answers
    def reshape(self, shape: Iterable[int]) -> Status:
        """See the same elements in another shape."""
        wanted = tuple(shape)
        if np.prod(wanted, dtype=np.int64) != np.prod(self.shape, dtype=np.int64):
            return refusal(f"reshape: {list(wanted)} has not the elements of {list(self.shape)}")
        self._shape, self._rank = wanted, len(wanted)
        if self._data is not None:
            self._data = self._data.reshape(wanted)
        return Status.OK()

    def data_address(self) -> int:
        """Where the data lies, for `set_data_address`; valid as long as this tensor holds it.

        Raises:
            RuntimeError: nothing is in it.
        """
        return memory.address(self._held("data_address"))

    @answers
    def set_data_address(self, address: int, dims: list[int]) -> Status:
        """Lie where other data lies: no copy is made, and whose memory it is has to be kept."""
        try:
            self._data = memory.at(address, tuple(dims), self._dtype)
        except ValueError as error:
            return refusal(f"set_data_address: {error}")
        self._rank, self._ready = len(dims), True
        return Status.OK()

    def to(self, target: Any) -> Any:
        """Move to a device: data is where the emulator needs it anyway. Or, for a DataType, a tensor of that type.

        In the form `object` a move gives another tensor, and this one has no data any more.
        """
        from .system import Device

        if isinstance(target, DataType):
            return self._converted(target)
        if not isinstance(target, Device):
            raise TypeError(f"to(): incompatible function arguments: {type(target).__name__}")
        answer: Any = self._reach_card()
        if answer is not self:
            return answer
        moved = make_tensor(get_datatype_by_numpy(self._dtype), None)
        moved._data, self._data = self._data, None
        moved._shape, moved._rank, moved._ready = self._shape, self._rank, self._ready
        moved._made_for = self._made_for
        return moved

    @answers
    def _reach_card(self) -> Status:
        return FAULTS.strike("to") or Status.OK()

    def _converted(self, dtype: DataType) -> Tensor:
        held = self._held("to")
        made = Tensor(held.shape, dtype)
        made._data = held.astype(made._dtype)
        return made

    def asnumpy(self) -> Any:
        """A copy of the data.

        Raises:
            RuntimeError: nothing is in it: no queue was synchronised since, or it failed.
        """
        struck = FAULTS.strike("asnumpy")
        if struck is not None:
            raise RuntimeError(str(struck))
        return self._held("asnumpy").copy()

    def _held(self, call: str) -> Any:
        if self._data is None or not self._ready:
            raise RuntimeError(f"{call}: there is no data; synchronise the queue first")
        return self._data


def make_tensor(dtype: DataType, dims: list[int] | None) -> Tensor:
    """A tensor of a context, without data.

    Args:
        dims: -1 where it may vary; None: nothing is known of them.
    """
    tensor = Tensor(dims or (), dtype)
    if dims is None:
        tensor._rank = None
    return tensor
