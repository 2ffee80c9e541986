"""Which nodes are meant by the names of layers and of kinds of operators."""

from __future__ import annotations

import pytest

from spanserve.device.compile.kept import matching

NODES = [
    ("/bert/encoder/layer.2/attention/self/query/MatMul", "MatMul"),
    ("/bert/encoder/layer.2/output/LayerNorm/LayerNormalization", "MVN"),
    ("/bert/encoder/layer.21/attention/self/query/MatMul", "MatMul"),
    ("main/mm.softmax-1:0", "ISoftmaxNode"),
    ("Mul_12", "IMulNode"),
]


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        pytest.param(["encoder.layer.2"], [0, 1], id="layer"),
        pytest.param(["encoder/layer.2/attention"], [0], id="part-of-a-layer"),
        pytest.param(["layer.2*"], [0, 1, 2], id="wildcard"),
        pytest.param(["matmul"], [0, 2], id="kind"),
        pytest.param(["softmax"], [3], id="kind-of-the-sdk"),
        pytest.param(["ISoftmaxNode"], [3], id="kind-as-the-sdk-calls-it"),
        pytest.param(["Mul_*", "LayerNorm"], [1, 4], id="two-names"),
        pytest.param([], [], id="none"),
    ],
)
def test_matching(wanted: list[str], places: list[int]) -> None:
    """A layer is whole parts of a name, one after another; a kind is what the runtime calls it."""
    assert places == matching(wanted, NODES)


@pytest.mark.parametrize("name", ["layer.3", "ayer.2", "encoder.attention"])
def test_no_match(name: str) -> None:
    """A name that matches nothing is refused with the kinds and nodes that exist."""
    with pytest.raises(ValueError, match=rf"'{name}' is neither a layer.*node: IMulNode \(Mul_12\), ISoft"):
        matching([name], NODES)
