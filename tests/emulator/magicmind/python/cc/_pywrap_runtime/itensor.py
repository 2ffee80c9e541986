"""Tensors of a network while it is built."""

from __future__ import annotations

from .dims import Dims
from .enums import DataType
from .faults import FAULTS
from .networks.drawn import Source
from .results import answers
from .status import Status, refusal


class ITensor:
    """An input or output of a network or of one of its nodes."""

    __slots__ = ("_dims", "_dtype", "_ranked", "_source")

    def __init__(self, dtype: DataType, sizes: list[int] | None, source: Source) -> None:
        self._dtype = dtype
        #: Where its value comes from.
        self._source = source
        self._dims = Dims(sizes or [])
        #: Whether it is known how many dimensions there are.
        self._ranked = sizes is not None

    @property
    def _sizes(self) -> list[int] | None:
        return list(self._dims.GetDims()) if self._ranked else None

    @answers
    def set_dimension(self, dims: Dims) -> Status:
        if not isinstance(dims, Dims):
            raise TypeError(f"set_dimension(): incompatible function arguments: {dims!r}")
        struck = FAULTS.strike("set_dimension")
        if struck is not None:
            return struck
        rank, sizes = len(self._dims.GetDims()), dims.GetDims()
        if (self._ranked and len(sizes) != rank) or any(size < 1 for size in sizes):
            return refusal(f"set_dimension: {sizes} is not {rank} dimensions from 1")
        self._dims, self._ranked = dims, True
        return Status.OK()

    @answers
    def set_data_type(self, dtype: DataType) -> Status:
        if not isinstance(dtype, DataType):
            raise TypeError(f"set_data_type(): incompatible function arguments: {dtype!r}")
        struck = FAULTS.strike("set_data_type")
        if struck is None:
            self._dtype = dtype
        return struck or Status.OK()

    def get_dimension(self) -> Dims:
        return self._dims

    def get_data_type(self) -> DataType:
        return self._dtype
