"""Weights as people have them: in shards, in half precision, wrapped, with heads of other tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from spanserve.builder import BuildError, weights
from spanserve.builder.checkpoint import Checkpoint, load_model
from spanserve.builder.weights import read_weights
from tests.kit.checkpoints import make_checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small checkpoint."""
    return make_checkpoint(tmp_path / "c")


@pytest.fixture
def tensors(folder: Path) -> dict[str, Any]:
    """Its tensors; the file is gone."""
    found: dict[str, Any] = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    return found


def loaded(folder: Path) -> dict[str, Any]:
    """The state of the model."""
    found: dict[str, Any] = load_model(Checkpoint(folder, "c")).module.state_dict()
    return found


def check_same(expected: dict[str, Any], folder: Path) -> None:
    found = loaded(folder)
    assert all(torch.equal(found[key], expected[key].float()) for key in expected)


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_shards(folder: Path, tensors: dict[str, Any], suffix: str) -> None:
    """Shards are read by their index; a shard that is missing, or a tensor in none, is named."""
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    names = sorted(tensors)
    halves = {f"{stem}-0000{n}-of-00002.{suffix}": names[n - 1 :: 2] for n in (1, 2)}
    for file, part in halves.items():
        content = {key: tensors[key] for key in part}
        if suffix == "bin":
            torch.save(content, folder / file)
        else:
            save_file(content, folder / file)
    index = folder / f"{stem}.{suffix}.index.json"
    where = {key: file for file, part in halves.items() for key in part}
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    check_same(tensors, folder)
    index.write_text(json.dumps({"weight_map": {**where, "more": next(iter(halves))}}))
    with pytest.raises(BuildError, match="1 tensors are in no shard, among them more"):
        read_weights(folder)
    index.write_text(json.dumps({"weight_map": {**where, "more": "../x.bin"}}))
    with pytest.raises(BuildError, match="weight_map names"):
        read_weights(folder)
    index.write_text(json.dumps({"weight_map": where}))
    (folder / next(iter(halves))).unlink()
    with pytest.raises(BuildError, match="which does not exist"):
        read_weights(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats(folder: Path, tensors: dict[str, Any], dtype: Any) -> None:
    """Weights of any floating type become float32."""
    small = {key: tensor.to(dtype) for key, tensor in tensors.items()}
    save_file(small, folder / "model.safetensors")
    check_same(small, folder)


def test_quantised(folder: Path, tensors: dict[str, Any]) -> None:
    """Whole numbers are no weights: the scales that they need are elsewhere."""
    key = "bert.encoder.layer.0.output.dense.weight"
    save_file({**tensors, key: tensors[key].to(torch.int8)}, folder / "model.safetensors")
    with pytest.raises(BuildError, match=f"{key} is int8"):
        loaded(folder)


def test_too_large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that the machine's memory does not hold is refused before it is copied."""
    monkeypatch.setattr(weights, "_memory", lambda: 0)
    with pytest.raises(BuildError, match=r"takes .* GB in float32, this machine has 0\.0 GB"):
        loaded(folder)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model."])
def test_wrapped(folder: Path, tensors: dict[str, Any], prefix: str) -> None:
    """What DataParallel and others put in front of all names is taken off."""
    save_file({prefix + key: tensor for key, tensor in tensors.items()}, folder / "model.safetensors")
    check_same(tensors, folder)


def test_among_other_things(folder: Path, tensors: dict[str, Any]) -> None:
    """A trainer's file holds the weights beside what it needs to go on."""
    torch.save({"state_dict": tensors, "epoch": 3}, folder / "pytorch_model.bin")
    check_same(tensors, folder)


def test_other_heads(folder: Path, tensors: dict[str, Any]) -> None:
    """Heads of pre-training and of other tasks are passed over."""
    more = (
        "cls.predictions.bias",
        "classifier.weight",
        "bert.pooler.dense.bias",
        "bert.embeddings.position_ids",
    )
    save_file({**tensors, **{key: torch.zeros(2) for key in more}}, folder / "model.safetensors")
    check_same(tensors, folder)


@pytest.mark.parametrize("rows", [1, 3])
def test_head_of_another_task(folder: Path, tensors: dict[str, Any], rows: int) -> None:
    """A head that has not two rows is named."""
    head = {"qa_outputs.weight": torch.zeros(rows, 32), "qa_outputs.bias": torch.zeros(rows)}
    save_file({**tensors, **head}, folder / "model.safetensors")
    with pytest.raises(BuildError, match=rf"qa_outputs.weight is \[{rows}, 32\] .*num_labels"):
        loaded(folder)


def test_whole_model(folder: Path, tensors: dict[str, Any]) -> None:
    """A pickled model is refused with what to do, and without the library's own advice to run it."""
    torch.save(torch.nn.Linear(2, 2), folder / "pytorch_model.bin")
    with pytest.raises(BuildError, match=r"save model.state_dict\(\) instead of the model") as caught:
        loaded(folder)
    assert "weights_only" not in str(caught.value)
