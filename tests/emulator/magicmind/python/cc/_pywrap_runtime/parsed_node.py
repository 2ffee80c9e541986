"""Nodes inside a parsed network, as far as a public program changes them: it keeps some in float32.

Inferred: what the SDK calls the nodes of a trace; those of ONNX have the file's own names. What is set here is only
noted: the emulator computes in float32 whatever it is told.
"""

from __future__ import annotations

from .enums import DataType
from .faults import FAULTS
from .itensor import ITensor
from .results import answers
from .status import Status, refusal


class ParsedNode:
    """A node with one output and as many inputs as the file says."""

    __slots__ = ("_inputs", "_kept", "_kind", "_name", "_output")

    def __init__(self, name: str, kind: str, inputs: int) -> None:
        self._name = name
        self._kind = kind
        self._inputs = [ITensor(DataType.FLOAT32, None, ("inside", index)) for index in range(inputs)]
        self._output = ITensor(DataType.FLOAT32, None, ("inside", 0))
        #: Whether anything of it was set to float32.
        self._kept = False

    def get_node_name(self) -> str:
        return self._name

    def get_node_type(self) -> str:
        return self._kind

    def get_input_count(self) -> int:
        return len(self._inputs)

    def get_output_count(self) -> int:
        return 1

    def get_input(self, index: int) -> ITensor:
        return self._inputs[index]

    def get_output(self, index: int) -> ITensor:
        return [self._output][index]

    @answers
    def set_precision(self, index: int, dtype: DataType) -> Status:
        return self._set(index, len(self._inputs), dtype)

    @answers
    def set_output_type(self, index: int, dtype: DataType) -> Status:
        return self._set(index, 1, dtype)

    def _set(self, index: int, count: int, dtype: DataType) -> Status:
        struck = FAULTS.strike("set_precision")
        if struck is not None:
            return struck
        if not 0 <= index < count or dtype not in (DataType.FLOAT16, DataType.FLOAT32):
            return refusal(f"{self._name} has no input or output {index} that can be {dtype.name}")
        self._kept = self._kept or dtype is DataType.FLOAT32
        return Status.OK()
