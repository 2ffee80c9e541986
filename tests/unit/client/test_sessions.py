"""What a run keeps of its sessions, and what it warns of."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.client.commands.command_line import command_line
from spanserve.client.evaluation.results import Results
from spanserve.client.evaluation.sessions import (
    SESSIONS_NAME,
    Padding,
    Session,
    Sessions,
    read_sessions,
    write_sessions,
)
from spanserve.client.evaluation.warnings import warnings_of
from spanserve.contract import QuestionResult, Refusal, TaskResult, WorkerStatus

SIMULATED = WorkerStatus(worker="w1", device="sim:mlu370-x8", simulated=True, runtime="simulated")
REAL = WorkerStatus(worker="w2", device="cpu", version="1.2.3", runtime="openvino 2026.4", tokenizer="cased")


def test_file(tmp_path: Path) -> None:
    """What is written is read again."""
    first = Session(
        finished="2026-01-02T03:04:00+00:00",
        command="spanserve eval 'a b'",
        version="1.2.3",
        seconds=1.5,
        questions=7,
        padding=Padding(1, 2),
        workers=(SIMULATED, REAL),
        silent=("card9: no answer in time",),
    )
    sessions = Sessions((first, Session()))
    write_sessions(tmp_path, sessions)
    assert sessions == read_sessions(tmp_path)


@pytest.mark.parametrize("text", [None, "", "[]", '{"sessions": [{"x": 1}]}', '{"sessions": 7}'])
def test_unreadable(tmp_path: Path, text: str | None) -> None:
    """A file that cannot be read costs the figures and nothing else."""
    if text is not None:
        (tmp_path / SESSIONS_NAME).write_text(text)
    assert Sessions() == read_sessions(tmp_path)


def test_unknown_seconds() -> None:
    """Where the seconds of one session are not known, those of the run are not."""
    known, unknown = Session(seconds=2.0, questions=4), Session(questions=1)
    assert 2.0 == Sessions((known, Session())).seconds
    assert None is Sessions((known, unknown)).seconds
    assert None is Sessions((known,)).padding


def test_warnings() -> None:
    """Simulated devices are named with the questions they answered, and workers that never did with the reason."""
    results = Results(["a", "b"])
    for name, worker in (("a", "w1"), ("b", "w2")):
        question = QuestionResult(name, error=Refusal.invalid("x", "no"))
        results.add(TaskResult(id=name, questions=(question,), worker=worker))
    sessions = Sessions((Session(workers=(SIMULATED, REAL), silent=("card9: refused",)),))
    simulated, silent = warnings_of(results, sessions)
    assert simulated.startswith("1 questions were answered by simulated devices (sim:mlu370-x8)")
    assert "a worker was asked and never answered: card9: refused" == silent
    assert () == warnings_of(results, Sessions((Session(workers=(REAL,)),)))


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("redis://me:secret@queue:6379/0", "spanserve 'redis://***@queue:6379/0'"),
        ("--redis=rediss://:se/cr@et@queue", "spanserve '--redis=rediss://***@queue'"),
        ("unix:///run/redis?password=secret", "spanserve 'unix:///run/redis?***'"),
        ("--min-f1", "spanserve --min-f1"),
        ("a b.json", "spanserve 'a b.json'"),
    ],
)
def test_command_line(argument: str, shown: str) -> None:
    """The command is kept as it can be typed again, without credentials."""
    assert shown == command_line([argument])
