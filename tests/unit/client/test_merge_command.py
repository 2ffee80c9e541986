"""`spanserve merge` as a pipeline runs it: it finds fault with what `spanserve eval` finds fault with."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from spanserve.client import Options
from spanserve.client.evaluation.evaluation import Evaluation
from spanserve.client.testing import InMemoryTransport, scripted
from spanserve.options.terminal import Terminal
from spanserve.squad import load_dataset
from tests.kit.command import run


@pytest.fixture
def command(tmp_path: Path) -> list[str | Path]:
    """A merge of two shards: one question is right, one wrong, and the worker refused the last."""
    rows = [
        {"id": "mill", "context": "The mill burned.", "question": "What?", "answers": ["mill"]},
        {"id": "bridge", "context": "The bridge fell.", "question": "What?", "answers": ["fell"]},
        {"id": "ice", "context": "The ice broke.", "question": "Why? " * 200, "answers": ["ice"]},
    ]
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for number in (1, 2):
        Evaluation(
            dataset=load_dataset(path).shard(number, 2),
            connect=lambda: InMemoryTransport(scripted(lambda context, question: context.split()[1])),
            folder=tmp_path / f"out-{number}",
            options=Options(),
        ).run(Terminal(file=io.StringIO()))
    return ["merge", tmp_path / "out-1", tmp_path / "out-2", "--dataset", path, "-o", tmp_path / "out"]


def test_questions_without_an_answer(
    command: list[str | Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status is 1 and the reason is told, unless errors are allowed."""
    status, _, told = run(capsys, *command, "--json")
    assert 1 == status
    assert f"1 of 3 questions without an answer, see {tmp_path / 'out' / 'errors.json'}:" in told
    assert "1 x OUT_OF_RANGE: too many characters (first: ice)" in told
    assert 0 == run(capsys, *command, "--allow-errors")[0]


def test_minimum(command: list[str | Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A score that is too low is named, with status 3."""
    status, _, told = run(capsys, *command, "--allow-errors", "--min-f1", "40")
    assert (3, True) == (status, "F1 33.3333 is below --min-f1 40" in told)
    assert 0 == run(capsys, *command, "--allow-errors", "--min-f1", "33")[0]


def test_result_line(command: list[str | Path], capsys: pytest.CaptureFixture[str]) -> None:
    """On request the scores are the line of the public sample."""
    _, shown, _ = run(capsys, *command, "--allow-errors", "--result-line")
    assert shown.startswith("SQUAD results: OrderedDict([('exact', 33.33")


def test_the_folder_of_a_run(
    command: list[str | Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output of a run is not written over, and the status is that of bad input."""
    scores = (tmp_path / "out-1" / "scores.json").read_bytes()
    status, _, told = run(capsys, *command[:-1], tmp_path / "out-1")
    assert (2, True) == (status, "out-1/ledger.jsonl exists: that folder holds a run" in told)
    assert scores == (tmp_path / "out-1" / "scores.json").read_bytes()
