"""Networks are executed for real: a hash, a trace by torch, an ONNX file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spanserve.device.host.simulated import logits
from tests.emulator.magicmind.python import runtime as mm
from tests.emulator.magicmind.python.runtime.parser import Parser
from tests.kit.networks import NAMES, ROWS, Named, Spans, exported, traced
from tests.unit.emulator.kit import Kit

SHAPE = (3, 32)


def built(kit: Kit, kind: str, file: Path) -> mm.Model:
    """Parse, build, serialise, and read again."""
    network, parser, config = mm.Network(), Parser(mm.ModelKind[kind]), mm.BuilderConfig()
    if kind == "kPytorch":
        assert parser.set_model_param("pytorch-input-dtypes", [mm.DataType.INT32] * 3).ok()
    status = parser.parse(network, str(file))
    assert status.ok(), status
    assert (3, 2) == (network.get_input_count(), network.get_output_count())
    assert config.parse_from_string(json.dumps({"opt_config": {"type64to32_conversion": True}})).ok()
    model = mm.Builder().build_model("model", network, config)
    assert model is not None
    assert model.serialize_to_file(str(kit.folder / "built")).ok()
    read = mm.Model()
    assert read.deserialize_from_file(str(kit.folder / "built")).ok()
    return read


def run(kit: Kit, model: mm.Model, ids: Any) -> tuple[mm.Status, list[Any]]:
    """One batch."""
    with mm.System():
        device = kit.activate()
        engine = model.create_i_engine()
    assert engine is not None
    context, queue = engine.create_i_context(), device.create_queue()
    assert context is not None
    assert queue is not None
    inputs = context.create_inputs()
    outputs: list[mm.Tensor] = []
    for tensor, array in zip(inputs, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True):
        assert tensor.from_numpy(array).ok()
        assert tensor.to(device).ok()
    assert context.enqueue(inputs, outputs, queue).ok()
    status = queue.sync()
    return status, [tensor.asnumpy() for tensor in outputs] if status.ok() else []


def ids_below(limit: int) -> Any:
    return np.random.default_rng(3).integers(5, limit, SHAPE).astype(np.int32)


def check(kit: Kit, model: mm.Model, expected: tuple[Any, Any], ids: Any, vocab_size: int) -> None:
    """The logits are right, and an id outside the table is told at sync."""
    status, found = run(kit, model, ids)
    assert status.ok(), status
    for ours, theirs in zip(found, expected, strict=True):
        assert np.float32 == ours.dtype
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    ids[0, 0] = vocab_size
    assert "100124" in str(run(kit, model, ids)[0])


def test_hash(kit: Kit) -> None:
    """A hash network gives the logits of the simulated device."""
    ids = ids_below(30_000)
    check(kit, kit.model(dims=SHAPE), logits(ids), ids, 30_000)


def test_torchscript(kit: Kit) -> None:
    """A traced module gives its own logits."""
    module, ids = Spans(), ids_below(ROWS)
    with torch.no_grad():
        expected = [tensor.numpy() for tensor in module(torch.from_numpy(ids), None, None)]
    model = built(kit, "kPytorch", traced(module, kit.folder / "traced.pt"))
    assert ["main/mm.squeeze:0", "main/mm.squeeze-1:0"] == model.get_output_names()
    check(kit, model, (expected[0], expected[1]), ids, ROWS)


def test_onnx(kit: Kit) -> None:
    """An ONNX file gives the logits of the module it was made of, under its own names."""
    module, ids = Spans().eval(), ids_below(ROWS)
    tensor = torch.from_numpy(ids)
    with torch.no_grad():
        expected = [side.numpy() for side in Named(module)(tensor, tensor * 0 + 1, tensor * 0)]
    model = built(kit, "kOnnx", exported(module, kit.folder / "model.onnx"))
    assert list(NAMES) == model.get_input_names() + model.get_output_names()
    check(kit, model, (expected[0], expected[1]), ids, ROWS)


class Whole(Spans):
    """Uses LayerNorm and gelu."""

    def forward(self, ids: Any, mask: Any, types: Any) -> tuple[Any, Any]:
        start, end = super().forward(ids, mask, types)
        return torch.nn.functional.gelu(start), torch.nn.functional.layer_norm(end, (32,))


class Apart(Spans):
    """The same out of smaller operators."""

    def forward(self, ids: Any, mask: Any, types: Any) -> tuple[Any, Any]:
        start, end = super().forward(ids, mask, types)
        middle = end - end.mean(-1, keepdim=True)
        spread = torch.sqrt(middle.pow(2).mean(-1, keepdim=True) + 1e-5)
        return start * 0.5 * (1.0 + torch.erf(start / 2.0**0.5)), middle / spread


class Unknown(Spans):
    """Uses an operator that no public model was seen to bring."""

    def forward(self, ids: Any, mask: Any, types: Any) -> tuple[Any, Any]:
        start, end = super().forward(ids, mask, types)
        return torch.where(mask > 0, start, end), end


def test_unknown_operators(tmp_path: Path) -> None:
    """A trace with operators outside the known list does not parse, and their kinds are named."""
    parser = Parser(mm.ModelKind.kPytorch)
    assert parser.set_model_param("pytorch-input-dtypes", [mm.DataType.INT32] * 3).ok()
    status = parser.parse(mm.Network(), str(traced(Unknown(), tmp_path / "traced.pt")))
    assert "not known to parse: aten::gt, aten::where" in str(status)


@pytest.mark.parametrize(
    ("version", "taken"), [("0.13.0", False), ("1.0.1", False), ("1.1.0", True), ("1.7.0", True)]
)
def test_operators_of_old_versions(
    tmp_path: Path, version: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsers up to 1.0 lack LayerNorm and gelu, and take what bert_qa_pytorch puts in their place."""
    monkeypatch.setenv("MM_EMULATOR_VERSION", version)
    parser = Parser(mm.ModelKind.kPytorch)
    assert parser.set_model_param("pytorch-input-dtypes", [mm.DataType.INT32] * 3).ok()
    apart = parser.parse(mm.Network(), str(traced(Apart(), tmp_path / "apart.pt")))
    assert apart.ok(), apart
    status = parser.parse(mm.Network(), str(traced(Whole(), tmp_path / "whole.pt")))
    assert taken is status.ok()
    assert ("not known to parse: aten::gelu, aten::layer_norm" in str(status)) is not taken


def test_input_types_are_needed(tmp_path: Path) -> None:
    """A trace does not tell the types of its inputs: without them it does not parse."""
    file = traced(Spans(), tmp_path / "traced.pt")
    status = Parser(mm.ModelKind.kPytorch).parse(mm.Network(), str(file))
    assert "pytorch-input-dtypes has 0 entries for 3 inputs" in str(status)


@pytest.mark.parametrize("kind", ["kPytorch", "kOnnx"])
def test_without_a_runtime(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can execute a network, the Status says what would."""
    module = "tests.emulator.magicmind.python.cc._pywrap_runtime.networks"
    if kind == "kPytorch":
        monkeypatch.setitem(sys.modules, "torch", None)
    else:
        monkeypatch.setattr(f"{module}.onnx.importlib.util.find_spec", lambda name: None)
    (tmp_path / "network").write_bytes(b"anything")
    status = Parser(mm.ModelKind[kind]).parse(mm.Network(), str(tmp_path / "network"))
    assert "installed here" in str(status)
