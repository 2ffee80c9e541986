"""A traced PyTorch network, executed by torch."""

from __future__ import annotations

import importlib
import io
import warnings
from typing import Any

from ..enums import DataType, ModelKind
from .computation import Computation, OutsideTable

#: Kinds of operators that the SDK is known to parse: those of the public BERT sample's trace.
KNOWN_KINDS = frozenset(
    [
        "aten::add",
        "aten::contiguous",
        "aten::div",
        "aten::dropout",
        "aten::embedding",
        "aten::gelu",
        "aten::layer_norm",
        "aten::linear",
        "aten::matmul",
        "aten::mul",
        "aten::permute",
        "aten::rsub",
        "aten::select",
        "aten::size",
        "aten::slice",
        "aten::softmax",
        "aten::split",
        "aten::squeeze",
        "aten::to",
        "aten::transpose",
        "aten::unsqueeze",
        "aten::view",
        "prim::Constant",
        "prim::GetAttr",
        "prim::ListConstruct",
        "prim::ListUnpack",
        "prim::TupleConstruct",
    ]
)


class TorchScript(Computation):
    """Its inputs are named as the SDK names them."""

    kind = ModelKind.kPytorch

    def __init__(self, content: bytes, dtypes: list[DataType]) -> None:
        try:
            self._torch: Any = importlib.import_module("torch")
        except ImportError:
            raise ValueError("a PyTorch network is executed by torch, which is not installed here") from None
        try:
            with warnings.catch_warnings():  # newer releases of torch would rather have another format
                warnings.simplefilter("ignore", DeprecationWarning)
                self._module = self._torch.jit.load(io.BytesIO(content), map_location="cpu").eval()
        except RuntimeError as error:
            raise ValueError(f"the file is no TorchScript: {str(error)[:200]}") from None
        graph = self._module.inlined_graph
        unknown = sorted({node.kind() for node in graph.nodes()} - KNOWN_KINDS)
        if unknown:
            raise ValueError("operators that are not known to parse: {}".format(", ".join(unknown)))
        inputs = len(list(graph.inputs())) - 1  # the first one is the module itself
        if len(dtypes) != inputs:
            raise ValueError(f"pytorch-input-dtypes has {len(dtypes)} entries for {inputs} inputs")
        result = next(graph.outputs()).node()
        outputs = len(list(result.inputs())) if result.kind() == "prim::TupleConstruct" else 1
        self.content = content
        self.input_dtypes = list(dtypes)
        self.input_names = [f"main/arg:{index}" for index in range(inputs)]
        self.output_names = ["main/mm.squeeze:0", "main/mm.squeeze-1:0"][:outputs]
        self.has_int64 = any(buffer.dtype == self._torch.int64 for buffer in self._module.buffers())

    def compute(self, arrays: list[Any]) -> list[Any]:
        torch = self._torch
        # The optimising executor compiles anew for every shape, which takes longer than the batch.
        with torch.inference_mode(), torch.jit.optimized_execution(False):
            try:
                results = self._module(*[torch.from_numpy(array) for array in arrays])
            except (IndexError, RuntimeError) as error:
                if "index out of range" in str(error):
                    raise OutsideTable("an embedding's index") from None
                raise
        results = results if isinstance(results, tuple) else (results,)
        return [result.to(torch.float32).numpy() for result in results]
