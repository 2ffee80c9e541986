"""The union of results: order, repetition and strangers do not change it."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from spanserve.client.evaluation.results import Results
from spanserve.contract import Answer, ErrorCode, NBest, QuestionResult, Refusal, Span, TaskResult, Timing


def answered(name: str, start: int = 0, score: float = 1.0, no_answer: float = 0.0) -> QuestionResult:
    span = Span("abcdef"[start : start + 2], start, start + 2, score)
    return QuestionResult(name, answer=Answer(span, NBest((start,), (start + 2,), (score,)), no_answer))


def failed(name: str) -> QuestionResult:
    return QuestionResult(name, error=Refusal(ErrorCode.INTERNAL, "fault 1"))


def task(name: str, *questions: QuestionResult, worker: str = "w1", model: str = "m1") -> TaskResult:
    return TaskResult(
        id=name,
        questions=questions,
        worker=worker,
        model_digest=model,
        timing=Timing(device_us=int(name[1:])),
    )


def test_union() -> None:
    """Answers and errors are kept by question id in the expected order; the run ends when none is missing."""
    results = Results(["a", "b", "c"])
    assert 2 == results.add(task("p1", answered("c"), failed("b")))
    assert (("a",), False, 2) == (results.missing(), results.complete, len(results))
    assert 1 == results.add(task("p0", answered("a"), worker="w2"))
    assert ((), True) == (results.missing(), results.complete)
    assert ["a", "c"] == list(results.answers)
    assert ["b"] == list(results.errors)
    assert {"w1": 2, "w2": 1} == results.by_worker


def test_first_wins() -> None:
    """A second result changes nothing but counts: the same span is a duplicate, another one a conflict."""
    results = Results(["a", "b"])
    results.add(task("p0", answered("a", 0), answered("b", 0)))
    # the score may differ in its last bits between devices, the span may not
    assert 0 == results.add(task("p0", answered("a", 2), answered("b", 0, score=1.0000001), worker="w2"))
    assert 0 == results.answers["a"].best.start
    assert (2, 1) == (results.duplicates, results.conflicts)
    assert {"w1": 2} == results.by_worker
    assert {"p0": Timing(device_us=0)} == results.timings


def test_error_against_answer() -> None:
    """An error for an answered question is a conflict; the same error twice is not."""
    results = Results(["a", "b"])
    results.add(task("p0", answered("a"), failed("b")))
    results.add(task("p0", failed("a"), failed("b")))
    assert (2, 1) == (results.duplicates, results.conflicts)
    assert ["a"] == list(results.answers)


def test_unexpected() -> None:
    """An id that nobody asked for is noted and never counted as a result."""
    results = Results(["a"])
    assert 0 == results.add(task("p0", answered("x")))
    assert {"x"} == results.unexpected
    assert ({}, 0, False) == (results.answers, len(results), results.complete)


def test_refused() -> None:
    """Questions that were never sent count as finished with their error."""
    results = Results(["a"])
    results.refuse({"a": Refusal.invalid("questions.text", "is empty")})
    assert results.complete
    assert ErrorCode.INVALID_ARGUMENT == results.errors["a"].code
    assert not results.by_worker


def test_models() -> None:
    """Every model digest that answered is seen, with the tasks it answered."""
    results = Results(["a", "b"])
    results.add(task("p0", answered("a")))
    results.add(task("p1", answered("b"), model="m2"))
    assert {"m1": 1, "m2": 1} == results.by_model


def test_predictions() -> None:
    """Without a threshold every text stands; odds above the threshold give "", odds at it do not."""
    results = Results(["a", "b"])
    results.add(task("p0", answered("a", score=1.0, no_answer=3.0), answered("b", score=1.0, no_answer=3.5)))
    assert {"a": 2.0, "b": 2.5} == results.null_odds()
    assert {"a": "ab", "b": "ab"} == results.predictions()
    assert {"a": "ab", "b": ""} == results.predictions(2.0)


TASKS = [task(f"p{i}", answered(f"{i}-a", i), answered(f"{i}-b")) for i in range(4)]
IDS = [question.id for result in TASKS for question in result.questions]


@given(st.lists(st.sampled_from(TASKS), max_size=20), st.permutations(TASKS))
def test_any_delivery(extra: list[TaskResult], order: list[TaskResult]) -> None:
    """However often and in whatever order results come, the union is the same and nothing counts twice."""
    results = Results(IDS)
    for result in itertools.chain(extra, order):
        results.add(result)
    assert results.complete
    assert {q.id: q.answer for result in TASKS for q in result.questions} == results.answers
    assert len(IDS) == results.by_worker.total()
    assert (2 * len(extra), 0) == (results.duplicates, results.conflicts)
