"""Networks that programs draw themselves, or change behind a parser: the nodes that samples add.

Known from tacotron2_onnx (all but two) and mm_convert (permute, activation). A detection node is refused: what it gives
is in no public text. Nodes inside a parsed network cannot be reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .dims import Dims
from .enums import DataType, IActivation, ILogic, IReduce
from .itensor import ITensor
from .networks.drawn import Drawn
from .results import answers
from .status import Status, refusal, say

if TYPE_CHECKING:
    from .networks import Computation

_LOGIC = {ILogic.LT: "lt", ILogic.LE: "le"}


class Node:
    """What `add_i_..._node` gives."""

    __slots__ = ("_output",)

    def __init__(self, output: ITensor) -> None:
        self._output = output

    def get_output(self, index: int) -> ITensor:
        return [self._output][index]

    def get_output_count(self) -> int:
        return 1


class Editing:
    """The part of a Network that adds to it."""

    __slots__ = ("_edited", "_inputs", "_nodes", "_outputs", "_own")

    def __init__(self) -> None:
        self._inputs: list[ITensor] = []
        self._outputs: list[ITensor] = []
        #: Inputs that a program has added, of all of them.
        self._own: list[ITensor] = []
        self._nodes: list[dict[str, Any]] = []
        self._edited = False

    def add_input(self, dtype: DataType, dims: Dims | None = None) -> ITensor:
        """An input; without dims nothing is known of its shape."""
        tensor = ITensor(dtype, None if dims is None else dims.GetDims(), ("input", len(self._inputs)))
        self._inputs.append(tensor)
        self._own.append(tensor)
        self._edited = True
        return tensor

    def add_i_const_node(self, dtype: DataType, dimensions: Dims, value: Any) -> Node:
        dims = dimensions.GetDims()
        return self._add("const", [], dtype, value=np.asarray(value).tolist(), dtype=dtype.name, dims=dims)

    def add_i_cast_node(self, tensor: ITensor, dtype: DataType) -> Node:
        return self._add("cast", [tensor], dtype, dtype=dtype.name)

    def add_i_fill_node(self, shape: ITensor, value: ITensor) -> Node:
        return self._add("fill", [shape, value], value._dtype)

    def add_i_range_node(self, begin: ITensor, end: ITensor, step: ITensor) -> Node:
        return self._add("range", [begin, end, step], DataType.INT32)

    def add_i_unsqueeze_node(self, tensor: ITensor, axis: ITensor) -> Node:
        return self._add("unsqueeze", [tensor, axis], tensor._dtype)

    def add_i_logic_node(self, left: ITensor, right: ITensor, logic: ILogic) -> Node:
        return self._add(_LOGIC[logic], [left, right], DataType.BOOL)

    def add_i_reduce_node(self, tensor: ITensor, axis: ITensor, reduce: IReduce, keep_dims: bool) -> Node:
        return self._add("reduce_" + reduce.name.lower(), [tensor, axis], tensor._dtype, keep=keep_dims)

    def add_i_slice_node(self, tensor: ITensor, begin: ITensor, end: ITensor, axis: ITensor) -> Node:
        return self._add("slice", [tensor, begin, end, axis], tensor._dtype)

    def add_i_permute_node(self, tensor: ITensor, order: ITensor) -> Node:
        return self._add("permute", [tensor, order], tensor._dtype)

    def add_i_activation_node(self, tensor: ITensor, activation_type: IActivation) -> Node:
        return self._add(activation_type.name.lower(), [tensor], tensor._dtype)

    def add_i_detection_output_node(self, tensors: list[ITensor], bias: ITensor) -> Node | None:
        say("add_i_detection_output_node: what such a node gives is in no public text")
        return None

    @answers
    def mark_output(self, tensor: ITensor) -> Status:
        self._outputs.append(tensor)
        self._edited = True
        return Status.OK()

    @answers
    def unmark_output(self, tensor: ITensor) -> Status:
        if tensor not in self._outputs:
            return refusal("unmark_output: the tensor is no output")
        self._outputs.remove(tensor)
        self._edited = True
        return Status.OK()

    def _add(self, operation: str, tensors: list[ITensor], gives: DataType, **settings: Any) -> Node:
        if not all(isinstance(tensor, ITensor) for tensor in tensors):
            raise TypeError(f"{operation} node: incompatible function arguments")
        sources = [list(tensor._source) for tensor in tensors]
        self._nodes.append({"op": operation, "sources": sources, "settings": settings})
        return Node(ITensor(gives, None, ("node", len(self._nodes) - 1)))

    def _drawn(self, parsed: Computation | None) -> Drawn:
        drawing = {
            "inputs": [[tensor._dtype.name, tensor._sizes] for tensor in self._own],
            "nodes": self._nodes,
            "outputs": [[list(tensor._source), tensor._dtype.name] for tensor in self._outputs],
        }
        return Drawn(drawing, parsed)
