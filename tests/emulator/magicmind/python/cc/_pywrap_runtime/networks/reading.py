"""Which reader is for which file."""

from __future__ import annotations

import base64
import json

from ..enums import DataType, ModelKind
from .computation import Computation

#: How a serialised model of nodes begins.
DRAWN = b'{"emulator": "drawn"'


def read_network(kind: str, content: bytes, dtypes: list[DataType]) -> Computation:
    """Read a network.

    Args:
        kind: name of a ModelKind.
        content: of the file.
        dtypes: of the inputs, where the file does not say.

    Raises:
        ValueError: it cannot be read or executed here; says why.
    """
    if content.startswith(DRAWN):
        from .drawn import Drawn

        drawn = json.loads(content.decode("utf-8"))
        inner = drawn["parsed"]
        parsed = inner and read_network(
            inner["kind"], base64.b64decode(inner["content"]), [DataType[name] for name in inner["dtypes"]]
        )
        return Drawn(drawn["drawing"], parsed)
    if content.lstrip().startswith(b"{"):
        from .hashing import Hashing

        return Hashing(ModelKind[kind], content, dtypes)
    if kind == ModelKind.kPytorch.name:
        from .torchscript import TorchScript

        return TorchScript(content, dtypes)
    if kind == ModelKind.kOnnx.name:
        from .onnx import Onnx

        return Onnx(content)
    raise ValueError(f"this emulator reads no {kind} networks")
