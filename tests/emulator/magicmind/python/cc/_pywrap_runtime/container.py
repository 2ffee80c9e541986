"""A compiled graph, and the file it is serialised to: a zip of build.json and the network as it was parsed."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

from .enums import DataType
from .networks import read_network

if TYPE_CHECKING:
    from .networks import Computation

FORMAT = 1


class Compiled:
    """A network and what it was built for.

    Args:
        build: precision, archs, and per input its type, dims (-1: varies) and range (None: no limit).
    """

    def __init__(self, build: dict[str, Any], computation: Computation) -> None:
        self.build = build
        self.computation = computation
        self.archs: dict[str, list[int]] = build["archs"]
        self.dims: list[list[int]] = build["dims"]
        self.input_dtypes = [DataType[name] for name in build["input_dtypes"]]

    @property
    def mutable(self) -> bool:
        return any(-1 in dims for dims in self.dims)

    def misfit(self, shapes: list[tuple[int, ...]]) -> str:
        """What is wrong with the shapes of a batch; empty if nothing is."""
        for index, (shape, dims) in enumerate(zip(shapes, self.dims)):
            limits = self.build["ranges"][index]
            for axis, (size, wanted) in enumerate(zip(shape, dims)):
                if wanted not in (-1, size):
                    return f"input {index} is {list(shape)}, the graph takes {dims}"
                if limits and not limits["min"][axis] <= size <= limits["max"][axis]:
                    return f"input {index} is {list(shape)}, beyond the range {limits}"
        return ""

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
