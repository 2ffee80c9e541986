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
    strange = {tensor._dtype for tensor in network._inputs} - {DataType.INT32, DataType.INT64}
    if strange:
        raise ValueError(f"an embedding takes no {strange.pop().name}")
    wants_64 = computation.has_int64 or any(tensor._dtype is DataType.INT64 for tensor in network._inputs)
    if wants_64 and not config._get("opt_config", "type64to32_conversion"):
        raise ValueError("the network holds int64, and opt_config.type64to32_conversion is not on")
    precision = config._get("precision_config", "precision_mode") or "force_float32"
    if precision.startswith("qint") and not network._calibrated and config._get("custom_ranges") is None:
        raise ValueError(f"{precision} needs ranges: calibrate the network first")
    narrowed = {DataType.INT64: DataType.INT32}
    dims, ranges = _shapes(network, config)
    build: dict[str, Any] = {
        "kind": computation.kind.name,
        "precision": precision,
        "archs": config._archs() or {cards.arch(): [1]},
        "parsed_dtypes": [dtype.name for dtype in computation.input_dtypes],
        "input_dtypes": [narrowed.get(tensor._dtype, tensor._dtype).name for tensor in network._inputs],
        "dims": dims,
        "ranges": ranges,
    }
    return Compiled(build, computation)


def _shapes(network: Network, config: BuilderConfig) -> tuple[list[list[int]], list[Any]]:
    """Dims (-1: may vary) and range (None: any) of every input."""
    fixed = [list(tensor._dims.GetDims()) for tensor in network._inputs]
    if any(dims != fixed[0] for dims in fixed):
        raise ValueError(f"the inputs differ in shape: {fixed}")
    ranges = config._get("dim_range")
    if config._get("graph_shape_mutable") is False:
        if ranges is not None:
            raise ValueError("dim_range is for graphs whose shape is mutable")
        if any(-1 in dims for dims in fixed):
            raise ValueError("the shape is not mutable, and set_dimension was not called for every input")
        return fixed, [None] * len(fixed)
    if ranges is None:
        return [[-1] * len(dims) for dims in fixed], [None] * len(fixed)
    wanted = [str(index) for index in range(len(fixed))]
    if sorted(ranges) != wanted:
        raise ValueError(f"dim_range names inputs {sorted(ranges)}, the network has {wanted}")
    if any(limits != ranges["0"] for limits in ranges.values()):
        raise ValueError("the inputs differ in their dim_range")
    dims = []
    for index, known in enumerate(fixed):
        low, high = ranges[str(index)]["min"], ranges[str(index)]["max"]
        if len(low) != len(known):
            raise ValueError(f"dim_range of input {index} has {len(low)} dimensions")
        if not all(size == -1 or a <= size <= b for a, size, b in zip(low, known, high)):
            raise ValueError(f"input {index} is {known}, beyond its dim_range")
        dims.append([a if a == b else -1 for a, b in zip(low, high)])
        if dims[-1].count(-1) > cards.varying_dims():
            raise ValueError(f"dim_range lets {dims[-1].count(-1)} dimensions of input {index} vary")
    return dims, [ranges[name] for name in wanted]
