"""A compiled graph, and the file it is serialised to: a zip of build.json and the network as it was parsed."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from ...common.types import get_numpy_dtype_by_datatype
from .enums import DataType
from .networks import read_network
from .networks.adapted import Adapters

if TYPE_CHECKING:
    from .networks import Computation

FORMAT = 2


class Compiled:
    """A network and what it was built for.

    Args:
        build: precision, archs, adapters, and per input its type, dims (-1: varies; null: any number of any
            size), range (null: no limit) and what is known of its shape before it has data.
    """

    def __init__(self, build: dict[str, Any], computation: Computation) -> None:
        self.build = build
        self.computation = computation
        self.archs: dict[str, list[int]] = build["archs"]
        self.dims: list[list[int] | None] = build["dims"]
        self.known_dims: list[list[int] | None] = build["known_dims"]
        self.input_dtypes = [DataType[name] for name in build["input_dtypes"]]
        self._adapters = Adapters(build["adapters"])

    @property
    def mutable(self) -> bool:
        return any(dims is None or -1 in dims for dims in self.dims)

    def misfit(self, shapes: list[tuple[int, ...]], dtypes: list[Any]) -> str:
        """What is wrong with the inputs of a batch; empty if nothing is."""
        for index, (shape, dims, limits) in enumerate(zip(shapes, self.dims, self.build["ranges"])):
            wanted = get_numpy_dtype_by_datatype(self.input_dtypes[index])
            if dtypes[index] != wanted:
                return f"input {index} is {dtypes[index]}, the graph takes {wanted}"
            if dims is None:
                continue
            if len(shape) != len(dims) or any(b not in (-1, a) for a, b in zip(shape, dims)):
                return f"input {index} is {list(shape)}, the graph takes {dims}"
            if limits and not all(a <= b <= c for a, b, c in zip(limits["min"], shape, limits["max"])):
                return f"input {index} is {list(shape)}, beyond the range {limits}"
        return ""

    def run(self, arrays: list[Any]) -> list[Any]:
        """Outputs of a batch.

        Raises:
            OutsideTable: an id is negative or too large.
        """
        fed = [self._adapters.enter(index, array) for index, array in enumerate(arrays)]
        results = self.computation.run(fed)
        return [self._adapters.leave(index, result) for index, result in enumerate(results)]

    def output_dims(self) -> list[list[int]]:
        """Dimensions of the outputs, found by running the smallest batch and one that is larger in what may vary.

        -1 where they follow an input; empty where nothing is known.
        """
        if any(dims is None for dims in self.dims):
            return [[] for _ in self.computation.output_names]
        low = self._run_zeros(0)
        high = self._run_zeros(1) if self.mutable else low
        return [[a if a == b else -1 for a, b in zip(one, other)] for one, other in zip(low, high)]

    def _run_zeros(self, more: int) -> list[tuple[int, ...]]:
        """Shapes of the outputs; `more`: how much longer than the shortest dimensions that vary are."""
        arrays = []
        for dtype, dims, limits in zip(self.input_dtypes, self.dims, self.build["ranges"]):
            lowest = limits["min"] if limits else [1] * len(dims or [])
            shape = [a + more if size == -1 else size for a, size in zip(lowest, dims or [])]
            arrays.append(np.zeros(shape, get_numpy_dtype_by_datatype(dtype)))
        return [result.shape for result in self.run(arrays)]

    def write(self, path: str) -> None:
        """Raises OSError."""
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("build.json", json.dumps(dict(self.build, format=FORMAT)))
            archive.writestr("network", self.computation.content)


def read_compiled(path: str) -> Compiled:
    """Read what `write` wrote.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such file, or its network cannot be executed here.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            build = json.loads(archive.read("build.json").decode("utf-8"))
            content = archive.read("network")
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{path} is no model of this emulator: {error}") from None
    if build.pop("format") != FORMAT:
        raise ValueError(f"{path} is of another format")
    parsed = [DataType[name] for name in build["parsed_dtypes"]]
    return Compiled(build, read_network(build["kind"], content, parsed))
