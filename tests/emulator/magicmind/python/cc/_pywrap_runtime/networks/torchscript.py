"""A traced PyTorch network, executed by torch."""

from __future__ import annotations

import importlib
import io
import warnings
from typing import Any

from ....common.types import get_numpy_dtype_by_datatype
from .. import cards
from ..enums import DataType, ModelKind
from .computation import Computation, OutsideTable, check_ids


def _kinds(names: str) -> frozenset[str]:
    return frozenset("aten::" + name for name in names.split())


#: Kinds of operators that the SDK is known to parse, by whose trace brings them.
KNOWN_KINDS = frozenset(
    ["prim::Constant", "prim::GetAttr", "prim::ListConstruct", "prim::ListUnpack", "prim::TupleConstruct"]
).union(
    # bert_squad_pytorch: transformers 3.1.0
    _kinds(
        "add contiguous div dropout embedding gelu layer_norm linear matmul mul permute rsub select size slice"
    ),
    _kinds("softmax split squeeze to transpose unsqueeze view"),
    # bert_qa_pytorch of the releases for MagicMind 0.13 to 1.0: the same with LayerNorm and gelu taken apart
    _kinds("erf mean pow sqrt sub"),
    # transformers_pytorch: BertForSequenceClassification has a pooler
    _kinds("tanh"),
)
#: What the parsers of MagicMind 0.13 to 1.0 lack, says bert_qa_pytorch's export_model/run.sh.
LACKING = _kinds("layer_norm gelu")
#: The first version that is not known to lack them.
WITHOUT_LACK = (1, 1)


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
        known = KNOWN_KINDS - LACKING if cards.version() < WITHOUT_LACK else KNOWN_KINDS
        unknown = sorted({node.kind() for node in graph.nodes()} - known)
        if unknown:
            raise ValueError("operators that are not known to parse: {}".format(", ".join(unknown)))
        inputs = len(list(graph.inputs())) - 1  # the first one is the module itself
        if len(dtypes) != inputs:
            raise ValueError(f"pytorch-input-dtypes has {len(dtypes)} entries for {inputs} inputs")
        self.tables = _looked_up(graph)
        check_ids(dtypes, self.tables)
        result = next(graph.outputs()).node()
        outputs = len(list(result.inputs())) if result.kind() == "prim::TupleConstruct" else 1
        self.content = content
        self.input_dtypes = list(dtypes)
        self.input_dims = [None] * inputs  # a trace does not say
        self.input_names = [f"main/arg:{index}" for index in range(inputs)]
        names = ["main/mm.squeeze:0"] + [f"main/mm.squeeze-{index}:0" for index in range(1, outputs)]
        self.output_names = names
        self.has_int64 = any(buffer.dtype == self._torch.int64 for buffer in self._module.buffers())

    @property
    def nodes(self) -> list[tuple[str, str, int]]:
        """Named as outputs are: `main/mm.softmax`, `main/mm.softmax-1`."""
        seen: dict[str, int] = {}
        found = []
        for node in self._module.inlined_graph.nodes():
            space, _, kind = node.kind().partition("::")
            if space == "aten":
                number = seen.get(kind, 0)
                seen[kind] = number + 1
                name = f"main/mm.{kind}-{number}" if number else f"main/mm.{kind}"
                found.append(
                    (name, "I{}Node".format(kind.title().replace("_", "")), len(list(node.inputs())))
                )
        return found

    def compute(self, arrays: list[Any]) -> list[Any]:
        torch = self._torch
        cast = [
            array.astype(get_numpy_dtype_by_datatype(dtype))
            for array, dtype in zip(arrays, self.input_dtypes)
        ]
        # The optimising executor compiles anew for every shape, which takes longer than the batch.
        with torch.inference_mode(), torch.jit.optimized_execution(False):
            try:
                results = self._module(*[torch.from_numpy(array) for array in cast])
            except (IndexError, RuntimeError) as error:
                if "index out of range" in str(error):
                    raise OutsideTable("an embedding's index") from None
                raise
        results = results if isinstance(results, tuple) else (results,)
        return [result.to(torch.float32).numpy() for result in results]


def _looked_up(graph: Any) -> frozenset[int]:
    """Which inputs an embedding looks up, directly or behind a conversion of their type."""
    places = {value.debugName(): index for index, value in enumerate(list(graph.inputs())[1:])}
    found = set()
    for node in graph.nodes():
        if node.kind() == "aten::embedding":
            ids = list(node.inputs())[1]
            while ids.node().kind() == "aten::to":
                ids = next(ids.node().inputs())
            found.add(places.get(ids.debugName(), -1))
    return frozenset(found - {-1})
