"""Contexts that are too long for a task, asked in pieces."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.client import NoWorker, Options, Question, Refusal, Task, TaskResult
from spanserve.client.errors import LedgerError
from spanserve.client.evaluation.evaluation import Evaluation
from spanserve.client.evaluation.long_contexts import LongContexts, Splitter, cut, joined
from spanserve.client.evaluation.merge import merge
from spanserve.client.report import RunSummary
from spanserve.client.testing import InMemoryTransport
from spanserve.contract import Answer, NBest, QuestionResult, Span, limits
from spanserve.options.terminal import Terminal
from spanserve.squad import Dataset, load_dataset

#: A worker of the tests reads 1,000 characters a window.
WINDOW = 1000


def text(length: int, *, answers: dict[int, str]) -> str:
    """A context of so many letters, with answers at their places."""
    letters = list("x " * (length // 2))
    for place, answer in answers.items():
        letters[place : place + len(answer)] = answer
    return "".join(letters)


def worker(task: Task) -> TaskResult:
    """Finds the first capital word; refuses what is too many windows, as workers do."""
    windows = -(-len(task.context) // WINDOW)
    if windows * len(task.questions) > limits.MAX_WINDOWS_PER_TASK:
        raise Refusal.too_large(
            "questions", windows * len(task.questions), limits.MAX_WINDOWS_PER_TASK, "windows"
        )
    if windows > limits.MAX_WINDOWS_PER_QUESTION:
        raise Refusal.too_large("context", windows, limits.MAX_WINDOWS_PER_QUESTION, "windows")
    return scripted_scores(task)


def scripted_scores(task: Task) -> TaskResult:
    """ "MILL" with the score 5, or else the first letter with 1."""
    place = task.context.find("MILL")
    start, end, score = (place, place + 4, 5.0) if place >= 0 else (0, 1, 1.0)
    best = Span(task.context[start:end], start, end, score)
    found = Answer(best, NBest((start,), (end,), (score,)), 0.0)
    return TaskResult(
        id=task.id, questions=tuple(QuestionResult(q.id, answer=found) for q in task.questions), worker="w"
    )


def dataset(folder: Path, *contexts: str, questions: int = 1) -> Dataset:
    """Contexts whose right answer is "MILL"."""
    paragraphs = [
        {
            "context": context,
            "qas": [{"id": f"{i}-{k}", "question": "What?", "answers": ["MILL"]} for k in range(questions)],
        }
        for i, context in enumerate(contexts)
    ]
    (folder / "set.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    return load_dataset(folder / "set.json")


def evaluate(
    data: Dataset, transport: InMemoryTransport, folder: Path, *, split: bool = True, resume: bool = False
) -> RunSummary:
    evaluation = Evaluation(
        dataset=data,
        connect=lambda: transport,
        folder=folder,
        options=Options(),
        resume=resume,
        long_contexts=LongContexts.SPLIT if split else LongContexts.REFUSE,
    )
    return evaluation.run(Terminal(file=io.StringIO()))


def test_over_the_bytes(tmp_path: Path) -> None:
    """A context over 48 KiB is refused, or split: its answer is found wherever it stands, with its place."""
    contexts = [text(120_000, answers={place: "MILL"}) for place in (0, 18_450, 60_000, 119_990)]
    data = dataset(tmp_path, *contexts)
    refused = evaluate(data, InMemoryTransport(worker), tmp_path / "refuse", split=False)
    assert {"OUT_OF_RANGE"} == {error.code.name for error in refused.results.errors.values()}
    summary = evaluate(data, InMemoryTransport(worker), tmp_path / "split")
    for i, place in enumerate((0, 18_450, 60_000, 119_990)):
        best = summary.results.answers[f"{i}-0"].best
        assert ("MILL", place, place + 4) == (best.text, best.start, best.end), i


def test_over_the_windows(tmp_path: Path) -> None:
    """A context that fits one task and is too many windows is asked again in pieces, and only then."""
    wide = text(40_000, answers={30_000: "MILL"})
    # 40 windows for each of 20 questions is too many for a task, not for a question
    data = dataset(tmp_path, wide, questions=20)
    transport = InMemoryTransport(worker)
    summary = evaluate(data, transport, tmp_path / "out")
    assert 100.0 == summary.scores.overall.exact
    assert {40_000} == {len(task.context) for task in transport.asked}
    assert [20, 8, 8, 4] == [len(task.questions) for task in transport.asked]


def test_halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces that are still too many windows are halved; what stays too long at the least size is refused."""
    monkeypatch.setattr(limits, "MAX_WINDOWS_PER_QUESTION", 8)
    data = dataset(tmp_path, text(30_000, answers={25_000: "MILL"}))
    transport = InMemoryTransport(worker)
    summary = evaluate(data, transport, tmp_path / "out")
    assert ("MILL", 25_000) == (
        summary.results.answers["0-0"].best.text,
        summary.results.answers["0-0"].best.start,
    )
    assert [30_000, 20_480, 10_240, 5_120] == sorted({len(t.context) for t in transport.asked}, reverse=True)[
        :1
    ] + [
        max(len(t.context) for t in transport.asked if f".{size}-" in t.id)
        for size in (20_480, 10_240, 5_120)
    ]
    monkeypatch.setattr(limits, "MAX_WINDOWS_PER_QUESTION", 1)
    failed = evaluate(data, InMemoryTransport(worker), tmp_path / "none")
    assert "windows" in failed.results.errors["0-0"].limit


def test_short_contexts_are_asked_as_ever(tmp_path: Path) -> None:
    """Where one task can carry a context, the same tasks are sent with the option as without."""
    data = dataset(tmp_path, text(30_000, answers={3: "MILL"}), text(50, answers={3: "MILL"}), questions=3)
    plain, split = InMemoryTransport(worker), InMemoryTransport(worker)
    first = evaluate(data, plain, tmp_path / "plain", split=False)
    second = evaluate(data, split, tmp_path / "split")
    assert [(t.id, t.context, t.questions) for t in plain.asked] == [
        (t.id, t.context, t.questions) for t in split.asked
    ]
    assert first.results.answers == second.results.answers


def test_resume(tmp_path: Path) -> None:
    """A run that was cut off between two pieces asks only the others; another way with long contexts is another run."""
    data = dataset(tmp_path, text(120_000, answers={90_000: "MILL"}), questions=10)

    def break_down(task: Task) -> TaskResult:
        if len(transport.asked) == 5:
            transport.ready = False
        return worker(task)

    transport = InMemoryTransport(break_down)
    with pytest.raises(NoWorker):
        evaluate(data, transport, tmp_path / "out")
    with pytest.raises(LedgerError, match="long_contexts is split there and refuse here"):
        evaluate(data, InMemoryTransport(worker), tmp_path / "out", split=False, resume=True)
    again = InMemoryTransport(worker)
    summary = evaluate(data, again, tmp_path / "out", resume=True)
    assert 100.0 == summary.scores.overall.exact
    assert not {task.id for task in transport.ended} & {task.id for task in again.asked}
    merged = merge(tmp_path / "set.json", [tmp_path / "out"], tmp_path / "merged")
    assert summary.results.answers == merged.results.answers


@given(st.text(min_size=1, max_size=300), st.integers(8, 64), st.integers(0, 8))
def test_cut(context: str, size: int, overlap: int) -> None:
    """Pieces are in order, of bounded size, overlap, and leave out nothing but white space."""
    context = context.encode(errors="ignore").decode()
    pieces = cut(context, size, overlap or 1)
    covered = {place for start, end in pieces for place in range(start, end)}
    assert not "".join(letter for place, letter in enumerate(context) if place not in covered).strip()
    assert all(0 < len(context[start:end].encode()) <= size for start, end in pieces)
    assert list(pieces) == sorted(set(pieces))


def answer(*rows: tuple[int, int, float], no_answer: float = 0.0) -> Answer:
    starts, ends, scores = zip(*rows, strict=True)
    return Answer(Span("", starts[0], ends[0], scores[0]), NBest(starts, ends, scores), no_answer, 2)


def test_joined() -> None:
    """A span in an overlap counts in the piece where it begins farther from the edge; scores decide among the rest."""
    context = "".join(chr(97 + i % 26) for i in range(30))
    # pieces share 8 to 16, whose middle is 12: 11 belongs to the first, 13 to the second
    found = joined(
        context,
        ((0, 16), (8, 30)),
        (
            answer((13, 15, 9.0), (11, 12, 5.0), no_answer=2.0),
            answer((3, 4, 8.0), (5, 7, 4.0), no_answer=-1.0),
        ),
        n_best=20,
    )
    assert ((11, 12, 5.0), (13, 15, 4.0)) == tuple(
        zip(found.n_best.starts, found.n_best.ends, found.n_best.scores, strict=True)
    )
    assert ("l", 11, 12, 5.0) == (found.best.text, found.best.start, found.best.end, found.best.score)
    assert (-1.0, 4) == (found.no_answer_score, found.windows)


def test_nothing_in_its_place() -> None:
    """Where every candidate lies beyond its middle, the best of them stands."""
    found = joined("x" * 30, ((0, 16), (8, 30)), (answer((14, 15, 3.0)), answer((1, 2, 7.0))), n_best=20)
    assert (9, 10, 7.0) == (found.best.start, found.best.end, found.best.score)


def test_a_piece_with_an_error() -> None:
    """A question of which one piece has failed has that error; its siblings are answered."""
    splitter = Splitter(partial(Task, run_id="r"), 20, size=4096)
    whole = Task(id="p", context="x" * 6000, questions=(Question("a", "?"), Question("b", "?")), run_id="r")
    long = Refusal.too_large("context", 99, 64, "windows")
    nothing, tasks = splitter.take(whole, TaskResult.refused(whole, long))
    assert nothing is None
    assert 2 == len(tasks)
    good = QuestionResult("a", answer=answer((0, 1, 1.0)))
    bad = QuestionResult("b", error=Refusal.invalid("x", "no"))
    fine = QuestionResult("b", answer=answer((0, 1, 1.0)))
    assert (None, []) == splitter.take(tasks[0], TaskResult(id=tasks[0].id, questions=(good, bad)))
    final, more = splitter.take(tasks[1], TaskResult(id=tasks[1].id, questions=(good, fine)))
    assert final is not None
    assert [] == more
    assert [True, False] == [question.answer is not None for question in final.questions]
