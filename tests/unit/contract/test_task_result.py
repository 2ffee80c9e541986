"""Results as bytes."""

from __future__ import annotations

import struct

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

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
    Timing,
)
from spanserve.v1 import task_pb2 as pb

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SMALL, LARGE = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
#: Scores travel as float32.
SCORES = st.floats(width=32, allow_nan=False)
COLUMNS = st.lists(st.tuples(SMALL, SMALL, SCORES), max_size=4).map(
    lambda rows: NBest(tuple(r[0] for r in rows), tuple(r[1] for r in rows), tuple(r[2] for r in rows))
)
ANSWERS = st.builds(
    Answer,
    best=st.builds(Span, TEXTS, SMALL, SMALL, SCORES),
    n_best=COLUMNS,
    no_answer_score=SCORES,
    windows=SMALL,
    question_truncated=st.booleans(),
)
REFUSALS = st.builds(Refusal, st.sampled_from(ErrorCode), TEXTS, field=TEXTS, value=TEXTS, limit=TEXTS)
RESULTS = st.builds(
    TaskResult,
    id=TEXTS,
    run_id=TEXTS,
    questions=st.lists(
        st.builds(QuestionResult, TEXTS, answer=ANSWERS) | st.builds(QuestionResult, TEXTS, error=REFUSALS),
        max_size=4,
    ).map(tuple),
    timing=st.builds(Timing, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE),
    worker=TEXTS,
    model_digest=TEXTS,
    attempt=SMALL,
)


@given(RESULTS)
def test_round_trip(result: TaskResult) -> None:
    """A result survives its bytes in every field, answers and refusals in their order."""
    assert result == TaskResult.from_bytes(result.to_bytes())


def test_scores_are_rounded_to_float32() -> None:
    """A score travels as the nearest float32, once: a second journey changes nothing."""
    exact = 7.1
    rounded = struct.unpack("f", struct.pack("f", exact))[0]
    answer = Answer(Span("a", 0, 1, exact), NBest((0,), (1,), (exact,)), exact)
    result = TaskResult(id="t", questions=(QuestionResult("q", answer=answer),))
    arrived = TaskResult.from_bytes(result.to_bytes())
    got = arrived.questions[0].answer
    assert got is not None
    assert [rounded] * 3 == [got.best.score, got.n_best.scores[0], got.no_answer_score]
    assert arrived == TaskResult.from_bytes(arrived.to_bytes())


def test_newer_outcome() -> None:
    """A question whose outcome only a newer worker knows has failed with INTERNAL."""
    data = pb.TaskResult(id="t", questions=[pb.QuestionResult(id="q")]).SerializeToString()
    (question,) = TaskResult.from_bytes(data).questions
    assert question.answer is None
    assert question.error is not None
    assert ErrorCode.INTERNAL == question.error.code


@pytest.mark.parametrize(
    "data", [b"\xff" * 9, b"\x0a\x05ab", b"\x0a\x01\x80"], ids=["garbage", "cut", "no-utf8"]
)
def test_not_a_result(data: bytes) -> None:
    """Bytes that are no result raise the decoder's error."""
    with pytest.raises(DecodeError):
        TaskResult.from_bytes(data)


def test_one_outcome() -> None:
    """A question has an answer or an error: neither and both are mistakes of ours."""
    answer = Answer(Span("a", 0, 1, 1.0), NBest((0,), (1,), (1.0,)), 0.0)
    with pytest.raises(AssertionError):
        QuestionResult("q")
    with pytest.raises(AssertionError):
        QuestionResult("q", answer=answer, error=Refusal(ErrorCode.INTERNAL, ""))


TASK = Task(
    id="t", run_id="r", context="c", questions=(Question("a", "who?"), Question("b", "when?")), attempt=3
)
TOO_LONG = Refusal(ErrorCode.OUT_OF_RANGE, "too long")


def test_refused() -> None:
    """The result of a refused task is the task's own, with the error for each question in order."""
    assert TaskResult(
        id="t",
        run_id="r",
        questions=(QuestionResult("a", error=TOO_LONG), QuestionResult("b", error=TOO_LONG)),
        worker="w",
        model_digest="m",
        attempt=3,
    ) == TaskResult.refused(TASK, TOO_LONG, worker="w", model_digest="m")


@pytest.mark.parametrize(
    ("outcomes", "shared"),
    [
        pytest.param([TOO_LONG, TOO_LONG], TOO_LONG, id="all-alike"),
        pytest.param([TOO_LONG, Refusal(ErrorCode.OUT_OF_RANGE, "too short")], None, id="different"),
        pytest.param([TOO_LONG, None], None, id="last-answered"),
        pytest.param([None, TOO_LONG], None, id="first-answered"),
        pytest.param([None, None], None, id="all-answered"),
        pytest.param([], None, id="empty"),
    ],
)
def test_shared_error(outcomes: list[Refusal | None], shared: Refusal | None) -> None:
    """An error is the task's only where every question has that very one."""
    answer = Answer(Span("c", 0, 1, 1.0), NBest((), (), ()), 0.0)
    questions = tuple(
        QuestionResult(str(number), error=error) if error else QuestionResult(str(number), answer=answer)
        for number, error in enumerate(outcomes)
    )
    assert shared == TaskResult(id="t", questions=questions).shared_error


def test_probabilities() -> None:
    """They sum to 1, however large the scores; no scores give none."""
    places = (0, 0)
    assert (0.5, 0.5) == NBest(places, places, (1000.0, 1000.0)).probabilities
    assert () == NBest((), (), ()).probabilities
    best = Span("ice", 0, 3, 2.0)
    assert pytest.approx(0.731, abs=1e-3) == Answer(best, NBest(places, places, (2.0, 1.0)), 0.0).probability
    assert 1.0 == Answer(best, NBest((), (), ()), 0.0).probability


def test_text_or_reason() -> None:
    """The text of an answer can be read without asking whether there is one: the reason comes in its place."""
    assert "ice" == QuestionResult("q", Answer(Span("ice", 0, 3, 2.0), NBest((), (), ()), 0.0)).text
    reason = Refusal(ErrorCode.CANCELLED, "was withdrawn")
    with pytest.raises(Refusal) as caught:
        _ = QuestionResult("q", error=reason).text
    assert reason is caught.value
