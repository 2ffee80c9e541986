"""Parser: a framework's file becomes a network."""

from __future__ import annotations

from typing import Any

from .enums import DataType, ModelKind
from .faults import FAULTS
from .network import Network
from .networks import read_network
from .results import answers
from .status import Status, refusal

#: What public code sets.
_PARAMETERS = (
    "pytorch-input-dtypes",
    "tf-model-type",
    "tf-graphdef-inputs",
    "tf-graphdef-outputs",
    "tf-infer-shape",
    "tf-savedmodel-tags",
    "tf-savedmodel-exported-names",
    "tf-savedmodel-main-func",
)
#: Of the parameters of a parser; others have none.
_PREFIXES = {ModelKind.kPytorch: "pytorch", ModelKind.kTensorflow: "tf"}


class Parser:
    """Reads one kind of file."""

    __slots__ = ("_kind", "_parameters")

    def __init__(self, kind: ModelKind) -> None:
        if not isinstance(kind, ModelKind):
            raise TypeError(f"Parser(): incompatible constructor arguments: {kind!r}")
        self._kind = kind
        self._parameters: dict[str, Any] = {}

    @answers
    def set_model_param(self, key: str, value: Any) -> Status:
        struck = FAULTS.strike("set_model_param")
        if struck is not None:
            return struck
        if key not in _PARAMETERS:
            return refusal(f"set_model_param: there is no parameter {key!r}")
        if key.partition("-")[0] != _PREFIXES.get(self._kind):
            return refusal(f"set_model_param: {key} is not for {self._kind.name}")
        if key == "pytorch-input-dtypes" and not all(isinstance(item, DataType) for item in value):
            return refusal(f"set_model_param: {key} is a list of DataType")
        self._parameters[key] = value
        return Status.OK()

    @answers
    def parse(self, network: Network, path: str, *more: str) -> Status:
        """Fill an empty network from a file."""
        if not isinstance(network, Network) or not isinstance(path, str):
            raise TypeError("parse(): incompatible function arguments")
        struck = FAULTS.strike("parse")
        if struck is not None:
            return struck
        if network._computation is not None:
            return refusal("parse: the network is not empty")
        if more:
            return refusal(f"parse: {self._kind.name} takes one file")
        try:
            with open(path, "rb") as file:
                content = file.read()
            dtypes = list(self._parameters.get("pytorch-input-dtypes", ()))
            network._fill(read_network(self._kind.name, content, dtypes))
        except (OSError, ValueError) as error:
            return refusal(f"parse: {error}")
        return Status.OK()
