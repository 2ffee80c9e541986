"""A network whose nodes a program has added one by one, alone or behind a parsed one. Computed by numpy."""

from __future__ import annotations

import base64
import json
from typing import Any, Callable, Tuple

import numpy as np

from ....common.types import get_numpy_dtype_by_datatype
from ..enums import DataType, ModelKind
from .computation import Computation

#: Where the value of a tensor comes from: `input`, `parsed` (an output of the parsed network) or `node`, and which.
Source = Tuple[str, int]


def _fill(shape: Any, value: Any) -> Any:
    return np.full(shape.reshape(-1), value)


def _slice(array: Any, begin: Any, end: Any, axis: Any) -> Any:
    places = [slice(None)] * array.ndim
    for place, low, high in zip(axis.reshape(-1), begin.reshape(-1), end.reshape(-1)):
        places[int(place)] = slice(int(low), int(high))
    return array[tuple(places)]


def _reduce_max(array: Any, axis: Any, keep: bool) -> Any:
    return array.max(axis=tuple(int(one) for one in axis.reshape(-1)), keepdims=keep)


#: Kind of node -> what it computes from its tensors and settings.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "cast": lambda array, dtype: array.astype(get_numpy_dtype_by_datatype(DataType[dtype])),
    "const": lambda value, dtype, dims: np.array(value, get_numpy_dtype_by_datatype(DataType[dtype])).reshape(
        dims
    ),
    "fill": _fill,
    "le": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
    "permute": lambda array, order: array.transpose([int(axis) for axis in order.reshape(-1)]),
    "range": lambda begin, end, step: np.arange(
        *(int(one.reshape(-1)[0]) for one in (begin, end, step)), dtype=np.int32
    ),
    "reduce_max": _reduce_max,
    "sigmoid": lambda array: 1 / (1 + np.exp(-array)),
    "slice": _slice,
    "unsqueeze": lambda array, axis: np.expand_dims(array, int(axis.reshape(-1)[0])),
}
#: The shape of what these give follows from values.
_DATA_DEPENDENT = frozenset(["fill", "range", "slice"])


class Drawn(Computation):
    """Nodes in the order in which they were added; see `Network` for their kinds.

    Args:
        drawing: inputs ([dtype, dims or null]), nodes ({op, sources, settings}), outputs ([source, dtype]).
        parsed: the network that it began with, None if it began with nothing.
    """

    kind = ModelKind.kOnnx

    def __init__(self, drawing: dict[str, Any], parsed: Computation | None) -> None:
        self._drawing = drawing
        self._parsed = parsed
        own = drawing["inputs"]
        self.input_dtypes = [*(parsed.input_dtypes if parsed else []), *(DataType[dtype] for dtype, _ in own)]
        self.input_dims = [*(parsed.input_dims if parsed else []), *(dims for _, dims in own)]
        self.input_names = [f"main/arg:{index}" for index in range(len(self.input_dtypes))]
        self.output_names = [f"main/out:{index}" for index in range(len(drawing["outputs"]))]
        self.tables = parsed.tables if parsed else frozenset()
        self.has_int64 = parsed is not None and parsed.has_int64
        self.data_dependent = any(node["op"] in _DATA_DEPENDENT for node in drawing["nodes"])
        inner = parsed and {
            "kind": parsed.kind.name,
            "dtypes": [dtype.name for dtype in parsed.input_dtypes],
            "content": base64.b64encode(parsed.content).decode(),
        }
        self.content = json.dumps({"emulator": "drawn", "drawing": drawing, "parsed": inner}).encode()

    @property
    def output_dtypes(self) -> list[DataType]:
        return [DataType[dtype] for _, dtype in self._drawing["outputs"]]

    def compute(self, arrays: list[Any]) -> list[Any]:
        count = len(self._parsed.input_dtypes) if self._parsed else 0
        values: dict[Source, Any] = {("input", index): array for index, array in enumerate(arrays)}
        if self._parsed:
            results = self._parsed.compute(arrays[:count])
            values.update({("parsed", index): result for index, result in enumerate(results)})
        for index, node in enumerate(self._drawing["nodes"]):
            given = [values[tuple(source)] for source in node["sources"]]
            values["node", index] = OPERATIONS[node["op"]](*given, **node["settings"])
        return [np.asarray(values[tuple(source)]) for source, _ in self._drawing["outputs"]]
