"""Nodes that stay in float32 under a lower precision.

As public code does it, right after the parser: of each node that is meant, every float input and output is set to
float32. Unknown: what nodes of a trace are called, and how far a mode such as force_float16 honours it.
"""

from __future__ import annotations

from typing import Any

import magicmind.python.runtime as mm

from .failure import StepFailed, done, made
from .kept import matching

_FLOATS = (mm.DataType.FLOAT16, mm.DataType.FLOAT32)


def keep_float32(network: Any, names: list[str]) -> None:
    """Keep layers, and operators of some kinds, in float32.

    Args:
        network: parsed.

    Raises:
        StepFailed: one of the names is that of none, or the SDK refused.
    """
    nodes = list(made("keep", "nodes", network.get_all_nodes_in_network))
    try:
        places = matching(names, [(str(n.get_node_name()), str(n.get_node_type())) for n in nodes])
    except ValueError as error:
        raise StepFailed("keep", str(error)) from None
    for place in places:
        node = nodes[place]
        for index in range(node.get_input_count()):
            if node.get_input(index).get_data_type() in _FLOATS:
                done("keep", node.get_node_name(), node.set_precision, index, mm.DataType.FLOAT32)
        for index in range(node.get_output_count()):
            if node.get_output(index).get_data_type() in _FLOATS:
                done("keep", node.get_node_name(), node.set_output_type, index, mm.DataType.FLOAT32)
