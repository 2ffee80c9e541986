"""An ONNX network, executed by onnxruntime or OpenVINO, whichever is installed."""

from __future__ import annotations

import importlib
import importlib.util
import io
import sys
from typing import Any

import numpy as np

from ..enums import DataType, ModelKind
from .computation import INTEGERS, Computation, OutsideTable

_DTYPES = {
    "tensor(int32)": DataType.INT32,
    "tensor(int64)": DataType.INT64,
    "tensor(float)": DataType.FLOAT32,
    "i32": DataType.INT32,
    "i64": DataType.INT64,
    "f32": DataType.FLOAT32,
}
_NUMPY = {DataType.INT32: np.int32, DataType.INT64: np.int64, DataType.FLOAT32: np.float32}


class Onnx(Computation):
    """Its inputs are cast to what the file says: a build may have narrowed them."""

    kind = ModelKind.kOnnx

    def __init__(self, content: bytes) -> None:
        self.content = content
        runtime = _find("onnxruntime", "openvino")
        self._engine: Any = _OnnxRuntime(content) if runtime == "onnxruntime" else _OpenVino(content)
        self.input_names, types = self._engine.inputs()
        self.input_dims = list(self._engine.dims())
        self.output_names = self._engine.outputs()
        self.input_dtypes = [_DTYPES[text] for text in types]
        # which of them an embedding looks up is not read out of the file
        ids = [index for index, dtype in enumerate(self.input_dtypes) if dtype in INTEGERS]
        self.tables = frozenset(ids if len(ids) == len(types) else ())
        self.has_int64 = DataType.INT64 in self.input_dtypes

    @property
    def nodes(self) -> list[tuple[str, str, int]]:
        """As the file has them, if the package that reads it is installed."""
        if importlib.util.find_spec("onnx") is None:
            return []
        onnx: Any = importlib.import_module("onnx")
        graph = onnx.load_model_from_string(self.content).graph
        return [(node.name, f"I{node.op_type}Node", len(node.input)) for node in graph.node]

    def compute(self, arrays: list[Any]) -> list[Any]:
        cast = [array.astype(_NUMPY[dtype]) for array, dtype in zip(arrays, self.input_dtypes)]
        return [np.asarray(result, np.float32) for result in self._engine.run(cast)]


def _find(*names: str) -> str:
    for name in names:
        if importlib.util.find_spec(name) is not None:
            return name
    raise ValueError("an ONNX network is executed by {}, none is installed here".format(" or ".join(names)))


class _OnnxRuntime:
    def __init__(self, content: bytes) -> None:
        ort: Any = importlib.import_module("onnxruntime")
        options = ort.SessionOptions()
        options.log_severity_level = 4  # an id outside a table is told by the Status
        try:
            self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ValueError(f"onnxruntime refuses the file: {str(error)[:200]}") from None

    def inputs(self) -> tuple[list[str], list[str]]:
        found = self._session.get_inputs()
        return [entry.name for entry in found], [entry.type for entry in found]

    def dims(self) -> list[list[int]]:
        """-1 for what has a name, or nothing, in place of a number."""
        found = [entry.shape for entry in self._session.get_inputs()]
        return [[size if isinstance(size, int) else -1 for size in shape] for shape in found]

    def outputs(self) -> list[str]:
        return [entry.name for entry in self._session.get_outputs()]

    def run(self, arrays: list[Any]) -> list[Any]:
        try:
            return list(self._session.run(None, dict(zip(self.inputs()[0], arrays))))
        except Exception as error:
            if "out of data bounds" in str(error):
                raise OutsideTable("an embedding's index") from None
            raise


class _OpenVino:
    """Does not mind an id outside a table, so that tables are looked up in the graph."""

    def __init__(self, content: bytes) -> None:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # nothing is reported to its maker
        openvino: Any = importlib.import_module("openvino")
        core = openvino.Core()
        try:
            model = core.read_model(io.BytesIO(content))
        except RuntimeError as error:
            raise ValueError(f"OpenVINO refuses the file: {str(error)[:200]}") from None
        self._names = [entry.any_name for entry in model.inputs]
        self._types = [entry.element_type.to_string() for entry in model.inputs]
        self._dims = [
            [size.get_length() if size.is_static else -1 for size in entry.partial_shape]
            for entry in model.inputs
        ]
        self._outputs = [entry.any_name for entry in model.outputs]
        self._rows = _table_rows(model)
        self._compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def inputs(self) -> tuple[list[str], list[str]]:
        return self._names, self._types

    def dims(self) -> list[list[int]]:
        return self._dims

    def outputs(self) -> list[str]:
        return self._outputs

    def run(self, arrays: list[Any]) -> list[Any]:
        for index, rows in self._rows.items():
            if arrays[index].size and arrays[index].max() >= rows:
                raise OutsideTable(f"id {arrays[index].max()} of {rows} rows")
        request = self._compiled.create_infer_request()
        request.infer(arrays)
        return [request.get_output_tensor(index).data.copy() for index in range(len(self._outputs))]


def _table_rows(model: Any) -> dict[int, int]:
    """Input -> rows of the smallest table it indexes directly."""
    places = {entry.node.get_friendly_name(): index for index, entry in enumerate(model.inputs)}
    rows: dict[int, int] = {}
    for operation in model.get_ops():
        if operation.get_type_name() != "Gather":
            continue
        table, indices = _source(operation, 0), _source(operation, 1)
        place = places.get(indices.get_friendly_name())
        if place is not None and table.get_type_name() == "Constant":
            size = int(table.get_output_shape(0)[0])
            rows[place] = min(size, rows.get(place, size))
    return rows


def _source(operation: Any, index: int) -> Any:
    """Where an input comes from, behind conversions of its type."""
    node = operation.input_value(index).get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node
