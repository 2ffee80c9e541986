"""Answers with unknown words, to the string: the reference of the sample's pins, and ours.

A cased tokenizer with an uncased checkpoint makes an unknown word of every word with a capital.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from spanserve.builder.samples import demo_tasks
from tests.programs.kit import PINNED

pytestmark = pytest.mark.timeout(900)

#: Of the built-in data set.
QUESTIONS = 47


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """The uncased checkpoint as transformers 3.1.0 reads it, with a tokenizer that keeps capitals."""
    found = os.environ.get("SPANSERVE_CHECKPOINT_DIR")
    if not found:
        pytest.skip("SPANSERVE_CHECKPOINT_DIR is not set")
    source, folder = Path(found) / "minilm-squad", tmp_path / "minilm"
    folder.mkdir()
    for name in ("config.json", "vocab.txt"):
        shutil.copy(source / name, folder)
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    weights = load_file(source / "model.safetensors")
    positions, width = weights["bert.embeddings.position_embeddings.weight"].shape
    weights.setdefault("bert.embeddings.position_ids", torch.arange(positions)[None])
    weights.setdefault("bert.pooler.dense.weight", torch.zeros(width, width))  # in the class, out of use
    weights.setdefault("bert.pooler.dense.bias", torch.zeros(width))
    torch.save(weights, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    return folder


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    paragraphs, left = [], QUESTIONS
    for number, task in enumerate(demo_tasks()):
        asked = task.questions[:left]
        left -= len(asked)
        answers = [{"text": task.context.split()[0], "answer_start": 0}]
        qas = [{"id": f"{number}-{q.id}", "question": q.text, "answers": answers} for q in asked]
        paragraphs.append({"context": task.context, "qas": qas})
        if not left:
            break
    file = tmp_path / "questions.json"
    data = [{"title": "t", "paragraphs": paragraphs}]
    file.write_text(json.dumps({"version": "1.1", "data": data}), encoding="utf-8")
    return file


def test_unknown_words(checkpoint: Path, questions: Path, tmp_path: Path) -> None:
    """All answers are the reference's to the string, trailing punctuation included."""
    python = os.environ.get("SPANSERVE_PROGRAMS_PYTHON")
    if not python:
        pytest.skip("SPANSERVE_PROGRAMS_PYTHON is not set: a Python 3.7 with the sample's pins")
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    reference = subprocess.run(
        [python, str(PINNED / "cpu.py"), "answers", str(checkpoint), str(questions), "384"],
        env={**own, "OMP_NUM_THREADS": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    expected: dict[str, str] = json.loads(reference.stdout.splitlines()[-1])
    command = [
        sys.executable,
        "-m",
        "spanserve",
        "run",
        str(checkpoint),
        str(questions),
        "-o",
        str(tmp_path / "out"),
    ]
    options = ["--bundles", str(tmp_path / "store"), "--batch-size", "4", "--lower-case", "false"]
    subprocess.run([*command, *options], check=True)
    found: dict[str, str] = json.loads((tmp_path / "out/predictions.json").read_text(encoding="utf-8"))
    assert QUESTIONS == len(expected)
    different = {name: (expected[name], text) for name, text in found.items() if text != expected[name]}
    assert {} == different
