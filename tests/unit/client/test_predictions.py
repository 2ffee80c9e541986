"""What `spanserve predict` writes, from a file without answers."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from spanserve.client import Options
from spanserve.client.evaluation.evaluation import Evaluation
from spanserve.client.evaluation.predictions import write_predictions
from spanserve.client.testing import InMemoryTransport, scripted
from spanserve.options.terminal import Terminal
from spanserve.squad import load_dataset

ROWS = [
    {"id": 7, "context": "The mill burned.", "question": "What?"},
    {"context": "The 🏙 burned.", "question": "What?"},
    {"id": "blank", "context": " ", "question": "What?"},
]


def predict(folder: Path, target: Path, threshold: float | None = None) -> None:
    """Answer with the second word, whose score is 1 and that of "no answer" 0."""
    path = folder / "test.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    dataset = load_dataset(path, answers=False)
    transport = InMemoryTransport(scripted(lambda context, question: context.split()[1]))
    evaluation = Evaluation(
        dataset=dataset, connect=lambda: transport, folder=folder / "run", options=Options()
    )
    results = evaluation.collect(Terminal(file=io.StringIO())).results
    write_predictions(target, dataset, results, threshold)


def test_json(tmp_path: Path) -> None:
    """A JSON file has the texts by id, or by place where there is no id."""
    predict(tmp_path, tmp_path / "out.json")
    assert {"7": "mill", "line 2": "🏙"} == json.loads((tmp_path / "out.json").read_text("utf-8"))


def test_json_lines(tmp_path: Path) -> None:
    """JSON lines have an answer with its place, or an error, for every question in the order of the file."""
    predict(tmp_path, tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert ["7", "line 2", "blank"] == [line["id"] for line in lines]
    assert ("🏙", 4, 5, "What?") == tuple(lines[1][name] for name in ("text", "start", "end", "question"))
    assert "line 3.context: found no words" in lines[2]["error"]["message"]


def test_folder(tmp_path: Path) -> None:
    """A folder has both, candidates and errors."""
    predict(tmp_path, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"predictions.json", "predictions.jsonl", "nbest.json", "errors.json"} == names


@pytest.mark.parametrize(("threshold", "text"), [(None, "mill"), (-100.0, "")])
def test_threshold(tmp_path: Path, threshold: float | None, text: str) -> None:
    """Only with a threshold a question may get no answer."""
    predict(tmp_path, tmp_path / "out.json", threshold)
    assert text == json.loads((tmp_path / "out.json").read_text("utf-8"))["7"]
