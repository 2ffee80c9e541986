"""ContextDumpInfo: a context writes its tensors to files, one file each and batch.

How the files of the SDK look is not known: here they are numpy's, or text. There are none of the tensors inside the
network.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .enums import DumpMode, FileFormat

if TYPE_CHECKING:
    from .container import Compiled

#: -1: nothing. 0: those that are named.
_MODES = (-1, 0, *DumpMode)


class DumpSettings:
    """What is set as `info.val.*`."""

    __slots__ = ("dump_mode", "file_format", "path", "tensor_name")

    def __init__(self, path: str, tensor_name: list[str], dump_mode: int, file_format: int) -> None:
        self.path = path
        self.tensor_name = tensor_name
        self.dump_mode = dump_mode
        self.file_format = file_format


class ContextDumpInfo:
    """Which tensors a context writes where.

    Args:
        path: a folder; it is made.
        tensor_name: names, for mode 0.
        dump_mode: a DumpMode, or -1: none, 0: those that are named.
        file_format: a FileFormat or its number.
    """

    __slots__ = ("val",)

    def __init__(
        self, path: str, tensor_name: list[str], dump_mode: int, file_format: int = FileFormat.kBinary
    ) -> None:
        self.val = DumpSettings(path, tensor_name, dump_mode, file_format)


class Dumper:
    """Writes the tensors of a context's batches.

    Raises:
        ValueError: a mode or format that is not known, or a path that is none.
    """

    def __init__(self, info: ContextDumpInfo) -> None:
        settings = info.val
        if settings.dump_mode not in _MODES or settings.file_format not in tuple(FileFormat):
            raise ValueError(f"mode {settings.dump_mode}, format {settings.file_format}")
        if not isinstance(settings.path, str) or not settings.path:
            raise ValueError("there is no path")
        self._path = settings.path
        self._mode = settings.dump_mode
        self._names = list(settings.tensor_name)
        self._text = settings.file_format == FileFormat.kText
        self._batches = 0

    def write(self, compiled: Compiled, inputs: list[Any], outputs: list[Any]) -> None:
        """Write what was asked for of one batch."""
        tensors = dict(zip(compiled.computation.output_names, outputs))
        if self._mode in (0, DumpMode.kAllTensors):
            tensors.update(zip(compiled.computation.input_names, inputs))
        for name, array in tensors.items():
            if self._mode != -1 and (self._mode != 0 or name in self._names):
                self._write(name, array)
        self._batches += 1

    def _write(self, name: str, array: Any) -> None:
        os.makedirs(self._path, exist_ok=True)
        file = os.path.join(
            self._path, "{}_{}".format(name.replace("/", "-").replace(":", "-"), self._batches)
        )
        if self._text:
            np.savetxt(file + ".txt", array.reshape(-1))
        else:
            np.save(file + ".npy", array)
