"""Builder: a parsed network and a configuration become a Model."""

from __future__ import annotations

from typing import Any

from . import cards
from .config import BuilderConfig
from .container import Compiled
from .enums import DataType
from .faults import FAULTS
from .model import Model
from .network import Network
from .networks.adapted import Adapters
from .networks.computation import INTEGERS
from .shapes import input_shapes
from .status import say


class Builder:
    """Needs no card."""

    __slots__ = ()

    def build_model(self, name: str, network: Network, config: BuilderConfig | None = None) -> Model | None:
        """None where the SDK refuses; why is printed."""
        if not isinstance(name, str) or not isinstance(network, Network):
            raise TypeError("build_model(): incompatible function arguments")
        if FAULTS.strike("build_model") is not None:
            return None
        try:
            return Model._of(_compile(network, config or BuilderConfig()))
        except ValueError as error:
            say(f"build_model: {error}")
            return None


def _compile(network: Network, config: BuilderConfig) -> Compiled:
    """Raises ValueError: what does not fit together."""
    computation = network._computation
    if computation is None:
        raise ValueError("the network is empty: parse one into it")
    for index, tensor in enumerate(network._inputs):
        if (tensor._dtype in INTEGERS) is not (computation.input_dtypes[index] in INTEGERS):
            what = "an embedding" if index in computation.tables else f"input {index}"
            raise ValueError(f"{what} takes no {tensor._dtype.name}")
    wants_64 = computation.has_int64 or any(tensor._dtype is DataType.INT64 for tensor in network._inputs)
    if wants_64 and not config._get("opt_config", "type64to32_conversion"):
        raise ValueError("the network holds int64, and opt_config.type64to32_conversion is not on")
    precision = config._get("precision_config", "precision_mode") or "force_float32"
    if precision.startswith("qint") and not network._calibrated and config._get("custom_ranges") is None:
        raise ValueError(f"{precision} needs ranges: calibrate the network first")
    narrowed = {DataType.INT64: DataType.INT32}
    adapters = {
        "bn": config._get("insert_bn_before_firstnode") or {},
        "inputs": config._get("convert_input_layout") or {},
        "outputs": config._get("convert_output_layout") or {},
    }
    dtypes = [narrowed.get(tensor._dtype, tensor._dtype) for tensor in network._inputs]
    shapes = input_shapes(network, config, Adapters(adapters))
    build: dict[str, Any] = {
        "kind": computation.kind.name,
        "precision": precision,
        "calibrated": network._calibrated,
        "kept": [node.get_node_name() for node in network._inside or () if node._kept],
        "archs": config._archs() or {cards.arch(): [1]},
        "parsed_dtypes": [dtype.name for dtype in computation.input_dtypes],
        "input_dtypes": [
            DataType.UINT8.name if str(index) in adapters["bn"] else dtype.name
            for index, dtype in enumerate(dtypes)
        ],
        "adapters": adapters,
        "dims": shapes.taken,
        "known_dims": shapes.known,
        "ranges": shapes.ranges,
    }
    return Compiled(build, computation)
