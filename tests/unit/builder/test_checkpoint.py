"""Checkpoints: every tensor accounted for, every defect named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch

from spanserve.builder import BuildError
from spanserve.builder.checkpoint import Checkpoint, find_checkpoint, load_model
from tests.kit.checkpoints import VOCABULARY, make_checkpoint


def load(folder: Path) -> Any:
    return load_model(Checkpoint(folder, folder.name)).module


def test_both_kinds_of_weights(tmp_path: Path) -> None:
    """safetensors and pytorch_model.bin give the same float32 model."""
    first = load(make_checkpoint(tmp_path / "a")).state_dict()
    second = load(make_checkpoint(tmp_path / "b", pickled=True)).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert {torch.float32} == {tensor.dtype for tensor in first.values()}


def test_info(tmp_path: Path) -> None:
    """The manifest learns the sizes, and the folder's name but not its path."""
    info = load_model(find_checkpoint(str(make_checkpoint(tmp_path / "tiny")))).info
    assert ("tiny", len(VOCABULARY), 2, 32) == (
        info.source,
        info.vocab_size,
        info.hidden_layers,
        info.hidden_size,
    )


def test_pooler_is_passed_over(tmp_path: Path) -> None:
    """The pooler that older checkpoints carry is no defect."""
    load(make_checkpoint(tmp_path / "c", changes={"bert.pooler.dense.weight": torch.zeros(2)}))


def test_names_of_converted_checkpoints(tmp_path: Path) -> None:
    """gamma and beta are what TensorFlow called weight and bias of a LayerNorm."""
    plain = make_checkpoint(tmp_path / "plain")
    norms = {key: value for key, value in load(plain).state_dict().items() if "LayerNorm" in key}
    renamed = {
        key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for key, value in norms.items()
    }
    changes = {**dict.fromkeys(norms), **renamed}
    converted = load(make_checkpoint(tmp_path / "converted", changes=changes)).state_dict()
    assert len(norms) > 0
    assert all(torch.equal(value, converted[key]) for key, value in norms.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"qa_outputs.weight": None}, "qa_outputs.weight is missing", id="no-head"),
        pytest.param({"bert.embeddings.LayerNorm.bias": None}, "lacks 1 of the model's", id="missing"),
        pytest.param({"extra": torch.zeros(1)}, "among them extra", id="unknown"),
        pytest.param(
            {"qa_outputs.bias": torch.zeros(3)}, r"qa_outputs.bias \[3\]: a span head has 2 rows", id="shape"
        ),
        pytest.param({"qa_outputs.bias": torch.tensor([0.0, torch.nan])}, "not finite", id="nan"),
    ],
)
def test_wrong_tensors(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """A tensor missing, unknown, mis-shaped or not finite is named."""
    with pytest.raises(BuildError, match=message):
        load(make_checkpoint(tmp_path / "c", changes=changes))


@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "bin"])
def test_truncated(tmp_path: Path, pickled: bool) -> None:
    """A truncated weights file is refused."""
    folder = make_checkpoint(tmp_path / "c", pickled=pickled)
    weights = folder / ("pytorch_model.bin" if pickled else "model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-500])
    with pytest.raises(BuildError, match="may be truncated"):
        load(folder)


HEADERS = {
    "101 MB": (101 << 20).to_bytes(8, "little") + b"{" + b" " * 64,
    "2^64 - 1": b"\xff" * 8 + b"{}",
    "not JSON": (8).to_bytes(8, "little") + b"\x80" * 8,
    "offsets beyond the end": (56).to_bytes(8, "little")
    + b'{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,1600]}}'.ljust(56),
}


@pytest.mark.parametrize("name", HEADERS)
def test_header(tmp_path: Path, name: str) -> None:
    """D63: a weights file whose header is not one, or promises more than there is, is refused."""
    folder = make_checkpoint(tmp_path / "c")
    (folder / "model.safetensors").write_bytes(HEADERS[name])
    with pytest.raises(BuildError, match=r"model\.safetensors"):
        load(folder)


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('the checkpoint ran code')",))


def test_pickle_cannot_run_code(tmp_path: Path) -> None:
    """A pickled file that would run code is refused before it does."""
    folder = make_checkpoint(tmp_path / "c", pickled=True)
    torch.save({"x": _Harmful()}, folder / "pytorch_model.bin")
    with pytest.raises(BuildError, match="does not hold plain tensors"):
        load(folder)


def test_no_weights(tmp_path: Path) -> None:
    """A folder without weights is refused, both names given."""
    folder = make_checkpoint(tmp_path / "c")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BuildError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        load(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "no JSON object"),
        ('{"model_type": "t5"}', 'model_type is "t5", only these'),
    ],
)
def test_wrong_config(tmp_path: Path, content: str, message: str) -> None:
    """A config that is damaged or describes another architecture is refused."""
    folder = make_checkpoint(tmp_path / "c")
    (folder / "config.json").write_text(content)
    with pytest.raises(BuildError, match=message):
        load(folder)


def test_impossible_config(tmp_path: Path) -> None:
    """A config whose sizes contradict each other is refused."""
    folder = make_checkpoint(tmp_path / "c")
    config = json.loads((folder / "config.json").read_text()) | {"num_attention_heads": 5}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BuildError, match="hidden_size 32 is not a multiple of num_attention_heads 5"):
        load(folder)


def test_neither_folder_nor_id(tmp_path: Path) -> None:
    """A name that is neither a folder nor a hub id is refused without asking the hub."""
    with pytest.raises(BuildError, match="neither a folder nor a hub id"):
        find_checkpoint(str(tmp_path / "nothing"))


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network, a hub id that is not in the cache is refused with what to do."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BuildError, match=r"'nobody/nothing'.*pass its folder"):
        find_checkpoint("nobody/nothing")
