"""Answers in doubt: those that a wrong device may have given, no others, and no more than may be listed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from spanserve.contract import (
    Answer,
    ErrorCode,
    NBest,
    Question,
    QuestionResult,
    Refusal,
    Span,
    Task,
    TaskResult,
)
from spanserve.engine.request import Request
from spanserve.engine.spot_checks import SpotCheck
from spanserve.qa.logits import LogitsResult
from spanserve.worker import doubt as doubt_module
from spanserve.worker.doubt import MOST_FILES, AnswersInDoubt

ANSWER = Answer(Span("c", 0, 1, 1.0), NBest([0], [1], [1.0]), 0.0)
CHECK, OTHER = SpotCheck(1, 16, 0), SpotCheck(1, 16, 1)


class Told:
    """The number of answers in doubt, as told last."""

    count = -1

    def __call__(self, count: int) -> None:
        self.count = count


def make(folder: Path, told: Told) -> AnswersInDoubt:
    return AnswersInDoubt(folder, device="mlu:0", model_digest="abc", told=told)


def give(doubt: AnswersInDoubt, *names: str) -> None:
    """A task for each name, with an answer and a question that has none."""
    for name in names:
        task = Task(id=name, context="c", questions=(Question("q", "who"), Question("r", "what")))
        request: Request[Any] = Request(task, 2, lambda request: None, arrived=0.0)
        refused = QuestionResult("r", error=Refusal(ErrorCode.INTERNAL, "no"))
        request.questions[1].error = refused.error
        result = TaskResult(id=name, run_id="run", questions=(QuestionResult("q", answer=ANSWER), refused))
        doubt.request_ended(request, result)


def listed(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The head of the file that there is, and the tasks in it."""
    (file,) = folder.iterdir()
    assert 0o600 == file.stat().st_mode & 0o777
    head, *lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert all({"run_id": "run", "question": "q"}.items() <= line.items() for line in lines)
    return head, [line["task"] for line in lines]


def test_since_the_same_check(tmp_path: Path) -> None:
    """In doubt is what was given after the wrong check was sent that passed last, whatever others passed since."""
    told = Told()
    doubt = make(tmp_path, told)
    give(doubt, "before")
    doubt.spot_check_sent(CHECK)
    give(doubt, "meanwhile")
    doubt.spot_check_passed(CHECK, 0.1)
    doubt.spot_check_sent(OTHER)
    doubt.spot_check_passed(OTHER, 0.1)
    give(doubt, "after")
    doubt.spot_check_sent(CHECK)
    give(doubt, "late")
    doubt.spot_check_wrong(CHECK, "wrong answers")
    head, tasks = listed(tmp_path)
    assert ["late", "after", "meanwhile"] == tasks
    assert {
        "in_doubt": 3,
        "listed": 3,
        "reason": "wrong answers",
        "device": "mlu:0",
        "model_digest": "abc",
    } == head
    assert 3 == told.count


def test_logits(tmp_path: Path) -> None:
    """Rows of tokens, which have no names, are counted and listed without."""
    doubt = make(tmp_path, Told())
    doubt.request_ended(Request[Any](None, 1, lambda request: None, arrived=0.0), LogitsResult())
    doubt.spot_check_sent(CHECK)
    doubt.spot_check_wrong(CHECK, "wrong")
    (file,) = tmp_path.iterdir()
    head, line = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert (1, {"run_id": None, "task": None, "question": None}) == (head["in_doubt"], line)


def test_since_the_start(tmp_path: Path) -> None:
    """A check that never passed puts in doubt everything since the start."""
    doubt = make(tmp_path, Told())
    give(doubt, "a", "b")
    doubt.spot_check_sent(CHECK)
    doubt.spot_check_wrong(CHECK, "wrong")
    assert ["b", "a"] == listed(tmp_path)[1]


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are counted, the latest are listed."""
    monkeypatch.setattr(doubt_module, "MOST", 3)
    told = Told()
    doubt = make(tmp_path, told)
    give(doubt, *"abcdef")
    doubt.spot_check_sent(CHECK)
    doubt.spot_check_wrong(CHECK, "wrong")
    head, tasks = listed(tmp_path)
    assert (6, 3, 6) == (head["in_doubt"], head["listed"], told.count)
    assert ["f", "e", "d"] == tasks


def test_the_next_life(tmp_path: Path) -> None:
    """Files of the device count from the next start on until they are taken away; those of others do not."""
    doubt = make(tmp_path, Told())
    give(doubt, "a", "b")
    doubt.spot_check_sent(CHECK)
    doubt.spot_check_wrong(CHECK, "wrong")
    (tmp_path / "spanserve-in-doubt-mlu_0-x.jsonl").write_text("no json\n")
    told, other = Told(), Told()
    again = make(tmp_path, told)
    AnswersInDoubt(tmp_path, device="mlu:1", model_digest="abc", told=other)
    assert (2, 0) == (told.count, other.count)
    give(again, "c")
    again.spot_check_sent(CHECK)
    again.spot_check_wrong(CHECK, "wrong")
    assert 3 == told.count
    for file in tmp_path.iterdir():
        file.unlink()
    make(tmp_path, told)
    assert 0 == told.count


def test_no_more_files_than_that(tmp_path: Path) -> None:
    """A device that is in doubt again and again does not fill the disk."""
    for _ in range(MOST_FILES + 3):
        doubt = make(tmp_path, Told())
        give(doubt, "a")
        doubt.spot_check_sent(CHECK)
        doubt.spot_check_wrong(CHECK, "wrong")
    assert MOST_FILES == len(list(tmp_path.iterdir()))


def test_no_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none, as in a container that only reads, a worker starts and counts."""

    def gone() -> str:
        raise FileNotFoundError("no usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", gone)
    monkeypatch.setattr(tempfile, "mkstemp", lambda *arguments: gone())
    told = Told()
    doubt = AnswersInDoubt(None, device="cpu", model_digest="abc", told=told)
    assert 0 == told.count
    give(doubt, "a")
    doubt.spot_check_sent(CHECK)
    doubt.spot_check_wrong(CHECK, "wrong")
    assert 1 == told.count


def test_a_folder_that_takes_nothing(tmp_path: Path) -> None:
    """What cannot be written is counted all the same."""
    told = Told()
    doubt = make(tmp_path / "gone", told)
    give(doubt, "a")
    doubt.spot_check_sent(CHECK)
    doubt.spot_check_wrong(CHECK, "wrong")
    assert 1 == told.count
