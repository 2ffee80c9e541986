"""Reading SQuAD files, cutting shards and making tasks."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.contract import ErrorCode, Options, Refusal, limits
from spanserve.squad import (
    Dataset,
    DatasetQuestion,
    Passage,
    Shard,
    SquadError,
    load_dataset,
    parse_shard,
)

CONTEXT = "The Normans came from 北欧 in the 10th century 🛶."


def question(name: str = "q1", **changes: Any) -> dict[str, Any]:
    answers = [{"text": "the 10th century", "answer_start": 28}]
    return {"id": name, "question": "When did they come?", "answers": answers} | changes


def squad(*questions: dict[str, Any], context: str = CONTEXT, version: Any = "1.1") -> dict[str, Any]:
    paragraph = {"context": context, "qas": list(questions) or [question()]}
    return {"version": version, "data": [{"title": "Normans", "paragraphs": [paragraph]}]}


def load(folder: Path, content: object) -> Dataset:
    path = folder / "small.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return load_dataset(path)


def made(*sizes: int) -> Dataset:
    """A data set whose n-th passage has sizes[n] questions."""
    passages = tuple(
        Passage(i, "t", f"context {i}", tuple(asked(f"{i}-{k}") for k in range(size)))
        for i, size in enumerate(sizes)
    )
    return Dataset(name="made", version="1.1", sha256="0" * 64, passages=passages)


def asked(name: str, text: str = "What is it?") -> DatasetQuestion:
    return DatasetQuestion(name, text, ("context",), False)


def test_load(tmp_path: Path) -> None:
    """A v1.1 file becomes a Dataset with the digest of its bytes."""
    dataset = load(tmp_path, squad())
    assert "small" == dataset.name
    assert "1.1" == dataset.version
    assert hashlib.sha256((tmp_path / "small.json").read_bytes()).hexdigest() == dataset.sha256
    expected = DatasetQuestion("q1", "When did they come?", ("the 10th century",), False)
    assert (Passage(0, "Normans", CONTEXT, (expected,)),) == dataset.passages
    assert ("q1",) == dataset.question_ids


def test_impossible(tmp_path: Path) -> None:
    """An impossible question makes any set a v2.0 one; plausible answers are no gold answers."""
    plausible = [{"text": "Normans", "answer_start": 4}]
    dataset = load(tmp_path, squad(question(is_impossible=True, answers=[], plausible_answers=plausible)))
    assert dataset.has_null_answers
    assert (DatasetQuestion("q1", "When did they come?", (), True),) == dataset.passages[0].questions


@pytest.mark.parametrize("version", ["2.0", "v2.0", 2.0])
def test_declared_version(tmp_path: Path, version: Any) -> None:
    """A file that declares v2.0 is one, even if each of its questions has an answer."""
    assert load(tmp_path, squad(version=version)).has_null_answers


def test_misplaced_answers_are_kept(tmp_path: Path) -> None:
    """An answer that does not stand at its answer_start is kept: scores use its text."""
    dataset = load(tmp_path, squad(question(answers=[{"text": "10th", "answer_start": 0}])))
    assert ("10th",) == dataset.passages[0].questions[0].answers


QA = "data[0].paragraphs[0].qas[0]"
LEVELS = "'data', 'paragraphs', 'qas', or 'question' and 'context'"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(7, "found the number 7, expected an object with 'data'", id="no-object"),
        pytest.param({"dta": 1}, f"found only the keys 'dta', expected {LEVELS}", id="no-data"),
        pytest.param({}, f"found no keys, expected {LEVELS}", id="no-keys"),
        pytest.param({"data": {}}, "data: found an object, expected a list", id="data-no-list"),
        pytest.param(
            {"data": [{"paragraphs": None}]}, "data[0].paragraphs: found null, expected a list", id="no-list"
        ),
        pytest.param(
            squad(context=" "),
            "data[0].paragraphs[0].context: found no words, expected text",
            id="empty-context",
        ),
        pytest.param(
            squad(question(question=None)), f"{QA}.question: found null, expected text", id="null-question"
        ),
        pytest.param(
            squad(question(answers=[{"answer_start": 1}])),
            f"{QA}.answers[0]: found only the keys 'answer_start', expected the key 'text'; "
            "`spanserve predict` needs no answers",
            id="answer-without-text",
        ),
        pytest.param(
            squad(question(answers=[])),
            f"{QA}.answers: found an empty list, expected at least one answer, or is_impossible: true; "
            "`spanserve predict` needs no answers",
            id="no-answers",
        ),
        pytest.param(
            squad(question(question="\ud83d?")),
            f"{QA}.question: found half of a surrogate pair at code point 0, expected Unicode text",
            id="surrogate",
        ),
    ],
)
def test_nothing_to_ask(tmp_path: Path, content: object, message: str) -> None:
    """Where nothing can be asked the error gives the file, the place in it, what was found and what is expected."""
    with pytest.raises(SquadError) as caught:
        load(tmp_path, content)
    assert f"{tmp_path / 'small.json'}: {message}" == str(caught.value)


@pytest.mark.parametrize(
    "content", [[], {"data": []}, {"data": [{"paragraphs": []}]}, squad() | {"data": []}]
)
def test_no_questions(tmp_path: Path, content: object) -> None:
    """A file without a single question is refused."""
    with pytest.raises(SquadError, match="holds no questions"):
        load(tmp_path, content)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[" * 200_000],
    ids=["empty", "torn", "too-deep"],
)
def test_not_json(tmp_path: Path, data: bytes) -> None:
    """A file that is not JSON is named as such."""
    path = tmp_path / "small.json"
    path.write_bytes(data)
    with pytest.raises(SquadError, match=r"small\.json is not JSON: "):
        load_dataset(path)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named with the reason."""
    with pytest.raises(SquadError, match=r"none\.json cannot be read: No such file"):
        load_dataset(tmp_path / "none.json")


def test_tasks() -> None:
    """A passage is one task, its id made of its place in the file; a passage without questions is none."""
    tasks, refused = made(2, 0, 1).tasks("run-1", Options(n_best=3), 5000)
    assert {} == refused
    assert ["p00000", "p00002"] == [task.id for task in tasks]
    assert ["0-0", "0-1"] == [q.id for q in tasks[0].questions]
    assert ("run-1", Options(n_best=3), 5000) == (tasks[0].run_id, tasks[0].options, tasks[0].timeout_ms)


def test_many_questions_are_divided() -> None:
    """More than 64 questions of a passage become several tasks, in order."""
    tasks, _ = made(130).tasks("", Options())
    assert [("p00000.1", 64), ("p00000.2", 64), ("p00000.3", 2)] == [(t.id, len(t.questions)) for t in tasks]
    assert [f"0-{k}" for k in range(130)] == [q.id for task in tasks for q in task.questions]


def test_large_tasks_are_divided() -> None:
    """Questions that together exceed the bytes of a task are divided so that each task fits."""
    long = "é" * limits.MAX_QUESTION_CHARS  # 1 KiB
    questions = tuple(asked(f"{k}" * 200, long) for k in "abcdefghijklmnopqrstuvwxyz")
    passage = Passage(0, "t", "c" * limits.MAX_CONTEXT_BYTES, questions)
    dataset = Dataset(name="made", version="1.1", sha256="0" * 64, passages=(passage,))
    tasks, refused = dataset.tasks("r" * 128, Options(n_best=100), 1000)
    assert {} == refused
    # 64 - 48 - 1 = 15 KiB are left beside the context; a question takes 1024 + 200 + 16 bytes: 12 fit
    assert [12, 12, 2] == [len(task.questions) for task in tasks]
    assert all(len(task.to_bytes()) <= limits.MAX_TASK_BYTES for task in tasks)


def test_refused_question() -> None:
    """A question over a limit is refused by itself; its siblings are sent."""
    long = asked("long", "x" * (limits.MAX_QUESTION_CHARS + 1))
    empty = asked("empty", " ")
    passage = Passage(0, "t", "context", (asked("a"), long, empty, asked("b")))
    dataset = Dataset(name="made", version="1.1", sha256="0" * 64, passages=(passage,))
    tasks, refused = dataset.tasks("", Options())
    assert ["a", "b"] == [q.id for q in tasks[0].questions]
    assert {
        "long": ErrorCode.OUT_OF_RANGE,
        "empty": ErrorCode.INVALID_ARGUMENT,
    } == {name: refusal.code for name, refusal in refused.items()}


def test_refused_passage() -> None:
    """A context over its limit refuses its own questions and no others."""
    large = Passage(0, "t", "c" * (limits.MAX_CONTEXT_BYTES + 1), (asked("a"), asked("b")))
    small = Passage(1, "t", "context", (asked("c"),))
    dataset = Dataset(name="made", version="1.1", sha256="0" * 64, passages=(large, small))
    tasks, refused = dataset.tasks("", Options())
    assert ["p00001"] == [task.id for task in tasks]
    assert ["a", "b"] == list(refused)
    assert "context" == refused["a"].field


def test_bad_run_id() -> None:
    """A run id outside its pattern is the caller's mistake, not that of the questions."""
    with pytest.raises(Refusal, match="run_id"):
        made(1).tasks("no spaces", Options())


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.integers(1, 9))
def test_shards(sizes: list[int], count: int) -> None:
    """Shards are disjoint and complete, keep the order, and differ by no more than the largest passage."""
    dataset = made(*sizes)
    shards = [dataset.shard(i, count) for i in range(1, count + 1)]
    indices = [[passage.index for passage in shard.passages] for shard in shards]
    assert list(range(len(sizes))) == sorted(itertools.chain(*indices))
    assert all(sorted(part) == part for part in indices)
    loads = [len(shard.question_ids) for shard in shards]
    assert max(loads) - min(loads) <= max(sizes)
    assert [Shard(i, count) for i in range(1, count + 1)] == [shard.part for shard in shards]


def test_shard_keeps_task_ids() -> None:
    """A passage has the same task id in a shard as in the whole data set."""
    dataset = made(3, 2, 1)
    whole = {task.id: task.questions for task in dataset.tasks("", Options())[0]}
    parts = [task for i in (1, 2) for task in dataset.shard(i, 2).tasks("", Options())[0]]
    assert whole == {task.id: task.questions for task in parts}


def test_parse_shard() -> None:
    """I/N is the I-th of N shards, from 1."""
    assert Shard(2, 4) == parse_shard("2/4")
    assert "2/4" == str(Shard(2, 4))


@pytest.mark.parametrize("text", ["", "2", "0/4", "5/4", "a/b", "2/4/8", "-1/4", "1/0", "２/４"])
def test_parse_shard_refuses(text: str) -> None:
    """Anything else is refused with the text quoted."""
    with pytest.raises(SquadError) as caught:
        parse_shard(text)
    assert str(caught.value).startswith(f"shard {text!r}: ")


LOOSE = {
    "neither-answers-nor-version": {"id": "q1"},
    "a-number-as-id": {"id": 1},
    "no-id": {},
    "answers-that-are-none": {"id": "q1", "answers": 7, "is_impossible": "maybe"},
}


@pytest.mark.parametrize("entry", LOOSE.values(), ids=LOOSE)
def test_without_answers(tmp_path: Path, entry: dict[str, Any]) -> None:
    """Where nothing is scored questions are read whatever else is there; each has a name of its own."""
    content = {"data": [{"paragraphs": [{"context": "c", "qas": [entry | {"question": "Who?"}] * 2}]}]}
    path = tmp_path / "small.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    dataset = load_dataset(path, answers=False)
    assert [("c", "Who?")] * 2 == [(passage.context, q.text) for passage, q in dataset.questions()]
    assert 2 == len(set(dataset.question_ids))


@pytest.mark.parametrize(
    "content", [{}, {"data": [{"paragraphs": [{"context": "c", "qas": [{"id": "q"}]}]}]}]
)
def test_without_answers_but_with_questions(tmp_path: Path, content: object) -> None:
    """Without contexts and questions a file is no data set for anybody."""
    path = tmp_path / "small.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SquadError, match=r"found (no|only the) keys"):
        load_dataset(path, answers=False)
