"""A network while it is built: filled by a parser, or node by node, told its shapes, then compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .editing import Editing
from .itensor import ITensor
from .parsed_node import ParsedNode

if TYPE_CHECKING:
    from .networks import Computation

__all__ = ["ITensor", "Network"]


class Network(Editing):
    """Empty until a parser fills it, or a program adds to it."""

    __slots__ = ("_calibrated", "_inside", "_parsed")

    def __init__(self) -> None:
        super().__init__()
        self._parsed: Computation | None = None
        #: The algorithm by which a calibrator has measured its ranges; empty: none has.
        self._calibrated = ""
        self._inside: list[ParsedNode] | None = None

    @property
    def _computation(self) -> Computation | None:
        """What it computes; None as long as it is empty."""
        return self._drawn(self._parsed) if self._edited else self._parsed

    def get_all_nodes_in_network(self) -> list[ParsedNode]:
        """Those of the parsed network."""
        if self._inside is None:
            nodes = [] if self._parsed is None else self._parsed.nodes
            self._inside = [ParsedNode(*node) for node in nodes]
        return self._inside

    def get_input_count(self) -> int:
        return len(self._inputs)

    def get_output_count(self) -> int:
        return len(self._outputs)

    def get_input(self, index: int) -> ITensor:
        return self._inputs[index]

    def get_output(self, index: int) -> ITensor:
        return self._outputs[index]

    def _fill(self, computation: Computation) -> None:
        self._parsed = computation
        kinds = zip(computation.input_dtypes, computation.input_dims)
        self._inputs = [ITensor(dtype, sizes, ("input", index)) for index, (dtype, sizes) in enumerate(kinds)]
        self._outputs = [
            ITensor(dtype, None, ("parsed", index)) for index, dtype in enumerate(computation.output_dtypes)
        ]
