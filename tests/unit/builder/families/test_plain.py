"""BERT in plain torch: the checkpoint's logits, in operators that MagicMind's parser is known to take."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from spanserve.builder.checkpoint import Checkpoint, load_model
from spanserve.builder.errors import BuildError
from spanserve.builder.export import export_trace
from spanserve.builder.families.bert import BERT
from spanserve.builder.families.plain import KNOWN_KINDS
from tests.kit.checkpoints import VOCABULARY, make_checkpoint

#: Batch, length, and how many tokens at the end of the first row are padding.
SHAPES = [(1, 16, 0), (3, 100, 40), (2, 384, 300), (1, 512, 1)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The seeded checkpoint as transformers runs it."""
    folder = make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")
    return load_model(Checkpoint(folder, "tiny")).module


@pytest.fixture(scope="module")
def trace(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The traced file, loaded anew."""
    path = tmp_path_factory.mktemp("traces") / "network.pt"
    export_trace(BERT.to_plain(model), path, inputs=BERT.inputs, length=384)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(path)


def inputs(batch: int, length: int, padding: int) -> tuple[Any, Any, Any]:
    """ids, mask and types, int32."""
    generator = torch.Generator().manual_seed(length)
    shape = (batch, length)
    ids = torch.randint(0, len(VOCABULARY), shape, generator=generator, dtype=torch.int32)
    mask = torch.ones_like(ids)
    mask[0, length - padding :] = 0
    types = torch.randint(0, 2, shape, generator=generator, dtype=torch.int32)
    return ids, mask, types


def test_every_operator_is_known(trace: Any) -> None:
    """The inlined graph holds no kind of node that the parser has not been seen to take."""
    assert set() == {node.kind() for node in trace.inlined_graph.nodes()} - KNOWN_KINDS


def test_output_is_a_tuple(trace: Any) -> None:
    """Start and end logits come as a tuple, not as a dictionary."""
    graph = trace.inlined_graph
    result = next(graph.outputs()).node()
    assert "prim::TupleConstruct" == result.kind()
    assert 2 == len(list(result.inputs()))


@pytest.mark.parametrize(("batch", "length", "padding"), SHAPES)
def test_logits(model: Any, trace: Any, batch: int, length: int, padding: int) -> None:
    """The traced file gives transformers' own logits at any batch and length, padding included."""
    ids, mask, types = inputs(batch, length, padding)
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        expected = model(input_ids=ids, attention_mask=mask, token_type_ids=types)
        start, end = trace(ids, mask, types)
    assert (expected.start_logits - start).abs().max() < 1e-5
    assert (expected.end_logits - end).abs().max() < 1e-5


class Stranger:
    """Looks like a model of transformers, with other weights or another configuration."""

    def __init__(self, config: Any, tensors: dict[str, Any]) -> None:
        self.config = config
        self._tensors = tensors

    def state_dict(self) -> dict[str, Any]:
        return self._tensors


@pytest.mark.parametrize("name", ["qa_outputs.bias", "encoder.layer.1.attention.self.key.weight"])
def test_missing_weights(model: Any, name: str) -> None:
    """A tensor that is missing is named."""
    tensors = {key: tensor for key, tensor in model.state_dict().items() if key.removeprefix("bert.") != name}
    with pytest.raises(BuildError, match=f"Missing key.*{name}"):
        BERT.to_plain(Stranger(model.config, tensors))


def test_unexpected_weights(model: Any) -> None:
    """A tensor that is left over is named."""
    tensors = {**model.state_dict(), "bert.adapter.weight": torch.zeros(1)}
    with pytest.raises(BuildError, match=r"Unexpected key.*adapter\.weight"):
        BERT.to_plain(Stranger(model.config, tensors))


def test_other_activations(tmp_path: Path) -> None:
    """An activation that the parser was never seen to take is refused."""
    model = load_model(Checkpoint(make_checkpoint(tmp_path / "c"), "c")).module
    model.config.hidden_act = "gelu_new"
    with pytest.raises(BuildError, match="hidden_act is 'gelu_new'"):
        BERT.to_plain(model)
