"""A network while it is built: filled by a parser, told its shapes, then compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .dims import Dims
from .enums import DataType
from .faults import FAULTS
from .results import answers
from .status import Status, refusal

if TYPE_CHECKING:
    from .networks import Computation


class ITensor:
    """An input or output of a network."""

    __slots__ = ("_dims", "_dtype", "_ranked")

    def __init__(self, dtype: DataType, sizes: list[int] | None) -> None:
        self._dtype = dtype
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


class Network:
    """Empty until a parser fills it."""

    __slots__ = ("_calibrated", "_computation", "_inputs", "_outputs")

    def __init__(self) -> None:
        self._computation: Computation | None = None
        self._inputs: list[ITensor] = []
        self._outputs: list[ITensor] = []
        #: Whether a calibrator has measured its ranges.
        self._calibrated = False

    def get_input_count(self) -> int:
        return len(self._inputs)

    def get_output_count(self) -> int:
        return len(self._outputs)

    def get_input(self, index: int) -> ITensor:
        return self._inputs[index]

    def get_output(self, index: int) -> ITensor:
        return self._outputs[index]

    def _fill(self, computation: Computation) -> None:
        self._computation = computation
        self._inputs = [
            ITensor(dtype, sizes) for dtype, sizes in zip(computation.input_dtypes, computation.input_dims)
        ]
        self._outputs = [ITensor(dtype, None) for dtype in computation.output_dtypes]
