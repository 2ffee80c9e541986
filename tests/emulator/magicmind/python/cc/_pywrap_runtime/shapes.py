"""Which shapes a build takes: what was set for the inputs, and what its configuration lets vary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional

from . import cards

if TYPE_CHECKING:
    from .config import BuilderConfig
    from .network import Network
    from .networks.adapted import Adapters

#: -1: open. None: not even how many there are is known.
Sizes = Optional[List[int]]


class Shapes(NamedTuple):
    """Of every input, as they are fed."""

    #: What a batch may have.
    taken: list[Sizes]
    #: What an input shows before there is data in it.
    known: list[Sizes]
    #: `{"min": [...], "max": [...]}`; None: no limit.
    ranges: list[dict[str, list[int]] | None]


def input_shapes(network: Network, config: BuilderConfig, adapters: Adapters) -> Shapes:
    """Shapes of a build.

    Raises:
        ValueError: what was set does not fit together.
    """
    fixed: list[Sizes] = [tensor._sizes for tensor in network._inputs]
    alike = network._computation is not None and network._computation.inputs_alike
    if alike and any(sizes != fixed[0] for sizes in fixed):
        raise ValueError(f"the inputs differ in shape: {fixed}")
    shapes = _chosen(fixed, config, alike)
    turned: list[list[Sizes]] = [
        [None if one is None else adapters.dims_outside(index, one) for index, one in enumerate(sizes)]
        for sizes in (shapes.taken, shapes.known)
    ]
    ranges = [
        limits and {end: adapters.dims_outside(index, sizes) for end, sizes in limits.items()}
        for index, limits in enumerate(shapes.ranges)
    ]
    return Shapes(turned[0], turned[1], ranges)


def _chosen(fixed: list[Sizes], config: BuilderConfig, alike: bool) -> Shapes:
    ranges = config._get("dim_range")
    if config._get("graph_shape_mutable") is False:
        if ranges is not None:
            raise ValueError("dim_range is for graphs whose shape is mutable")
        if any(sizes is None or -1 in sizes for sizes in fixed):
            raise ValueError("the shape is not mutable, and set_dimension was not called for every input")
        return Shapes(fixed, fixed, [None] * len(fixed))
    if ranges is None:
        open_sizes: list[Sizes] = [sizes and [-1] * len(sizes) for sizes in fixed]
        return Shapes(open_sizes, fixed, [None] * len(fixed))
    wanted = [str(index) for index in range(len(fixed))]
    if sorted(ranges) != sorted(wanted):
        raise ValueError(f"dim_range names inputs {sorted(ranges)}, the network has {wanted}")
    if alike and any(limits != ranges["0"] for limits in ranges.values()):
        raise ValueError("the inputs differ in their dim_range")
    taken: list[Sizes] = [_within(index, sizes, ranges[str(index)]) for index, sizes in enumerate(fixed)]
    return Shapes(taken, taken, [ranges[name] for name in wanted])


def _within(index: int, sizes: Sizes, limits: dict[str, Any]) -> list[int]:
    """Sizes that a range allows: -1 where more than one is."""
    low, high = limits["min"], limits["max"]
    if sizes is not None and len(low) != len(sizes):
        raise ValueError(f"dim_range of input {index} has {len(low)} dimensions")
    if not all(size == -1 or a <= size <= b for a, size, b in zip(low, sizes or [], high)):
        raise ValueError(f"input {index} is {sizes}, beyond its dim_range")
    found = [a if a == b else -1 for a, b in zip(low, high)]
    if found.count(-1) > cards.varying_dims():
        raise ValueError(f"dim_range lets {found.count(-1)} dimensions of input {index} vary")
    return found
