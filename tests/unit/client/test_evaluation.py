"""An evaluation from data set to report, without a worker."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from spanserve.client import NoWorker, Options, Refusal, Task, TaskResult
from spanserve.client.errors import LedgerError
from spanserve.client.evaluation.evaluation import Evaluation
from spanserve.client.report import RunSummary
from spanserve.client.testing import InMemoryTransport, scripted
from spanserve.options.terminal import Terminal
from spanserve.squad import Dataset, DatasetQuestion, Passage

WORDS = ("harbour", "mill", "bridge", "church")
DATASET = Dataset(
    name="town",
    version="1.1",
    sha256="0" * 64,
    passages=tuple(
        Passage(number, "town", f"The {word} burned.", (DatasetQuestion(word, "What?", (word,), False),))
        for number, word in enumerate(WORDS)
    ),
)


def evaluate(transport: InMemoryTransport, folder: Path, *, resume: bool = False) -> RunSummary:
    evaluation = Evaluation(
        dataset=DATASET, connect=lambda: transport, folder=folder, options=Options(), resume=resume
    )
    return evaluation.run(Terminal(file=io.StringIO()))


def second_word(context: str, question: str) -> str:
    return context.split()[1]


def asked(transport: InMemoryTransport) -> set[str]:
    return {question.id for task in transport.asked for question in task.questions}


def test_evaluation(tmp_path: Path) -> None:
    """Every question is asked once; what was right, wrong and refused is in the scores and in the files."""

    def answer(context: str, question: str) -> str:
        if "mill" in context:
            raise Refusal.invalid("questions.text", "no")
        return "burned" if "church" in context else second_word(context, question)

    transport = InMemoryTransport(scripted(answer))
    summary = evaluate(transport, tmp_path)
    assert (4, 50.0) == (summary.scores.overall.total, summary.scores.overall.exact)
    assert set(WORDS) == asked(transport)
    predictions = json.loads((tmp_path / "predictions.json").read_text("utf-8"))
    assert {"harbour": "harbour", "bridge": "bridge", "church": "burned"} == predictions
    assert ["mill"] == list(json.loads((tmp_path / "errors.json").read_text("utf-8")))
    assert ["in-memory"] == [worker.worker for worker in summary.workers]
    assert "in-memory" in (tmp_path / "report.html").read_text("utf-8")


def test_nobody_there(tmp_path: Path) -> None:
    """Where no worker was ready nobody was asked: there is no run to go on with, and none in the way."""
    transport = InMemoryTransport(scripted(second_word))
    transport.ready = False
    with pytest.raises(NoWorker):
        evaluate(transport, tmp_path)
    assert [] == list(tmp_path.iterdir())
    transport.ready = True
    assert evaluate(transport, tmp_path).results.complete


def test_resume(tmp_path: Path) -> None:
    """A run whose workers have gone keeps what was answered; going on asks only the rest."""
    script = scripted(second_word)

    def break_down(task: Task) -> TaskResult:
        if len(transport.asked) == 2:
            transport.ready = False
        return script(task)

    transport = InMemoryTransport(break_down)
    with pytest.raises(NoWorker):
        evaluate(transport, tmp_path)
    again = InMemoryTransport(script)
    with pytest.raises(LedgerError, match="--resume"):
        evaluate(again, tmp_path)
    summary = evaluate(again, tmp_path, resume=True)
    assert (2, 2) == (len(asked(transport)), len(asked(again)))
    assert set(WORDS) == asked(transport) | asked(again)
    assert (4, 100.0) == (len(summary.results), summary.scores.overall.exact)
    assert [2, 2] == [session.questions for session in summary.sessions.all]
    # Nothing is left to ask: nobody is asked, and the report is written again.
    nobody = InMemoryTransport(script)
    nobody.ready = False
    rerun = evaluate(nobody, tmp_path, resume=True)
    assert summary.scores == rerun.scores
    # The figures are those of the sessions that asked.
    assert summary.wall_seconds == rerun.wall_seconds
    assert [2, 2] == [session.questions for session in rerun.sessions.all]
    assert ["in-memory"] == [worker.worker for worker in rerun.workers]
