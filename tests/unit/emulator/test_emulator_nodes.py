"""Nodes inside a parsed network are seen, and set to float32, as a public program does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulator.magicmind.python import runtime as mm
from tests.emulator.magicmind.python.runtime.parser import Parser
from tests.kit.networks import Spans, exported, traced


def parsed(kind: str, file: Path) -> mm.Network:
    network, parser = mm.Network(), Parser(mm.ModelKind[kind])
    if kind == "kPytorch":
        assert parser.set_model_param("pytorch-input-dtypes", [mm.DataType.INT32] * 3).ok()
    assert parser.parse(network, str(file)).ok()
    return network


@pytest.mark.parametrize(
    ("kind", "name"),
    [pytest.param("kPytorch", "main/mm.embedding", id="trace"), pytest.param("kOnnx", "Gather", id="onnx")],
)
def test_nodes(tmp_path: Path, kind: str, name: str) -> None:
    """Every node has a name, a kind, and float tensors whose type can be set, once for all who look."""
    write = traced if kind == "kPytorch" else exported
    network = parsed(kind, write(Spans(), tmp_path / "network"))
    (node, *_) = (node for node in network.get_all_nodes_in_network() if name in node.get_node_name())
    assert node.get_node_type().startswith("I")
    assert node.get_node_type().endswith("Node")
    assert node.get_input_count() > 0
    assert {mm.DataType.FLOAT32} == {
        node.get_output(index).get_data_type() for index in range(node.get_output_count())
    }
    assert node.set_precision(0, mm.DataType.FLOAT32).ok()
    assert node.set_output_type(0, mm.DataType.FLOAT32).ok()
    assert not node.set_precision(99, mm.DataType.FLOAT32).ok()
    assert not node.set_output_type(0, mm.DataType.INT32).ok()
    again = {node.get_node_name(): node for node in network.get_all_nodes_in_network()}
    assert again[node.get_node_name()] is node


def test_no_nodes() -> None:
    """A network without anything parsed has none."""
    assert [] == mm.Network().get_all_nodes_in_network()
