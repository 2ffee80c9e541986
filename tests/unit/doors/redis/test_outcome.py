"""How the result of a task ends its job."""

from __future__ import annotations

import pytest

from spanserve.contract import Answer, ErrorCode, NBest, QuestionResult, Refusal, Span, TaskResult
from spanserve.doors.redis.outcome import faulted, state_of
from spanserve.queue import JobState

ANSWER = Answer(best=Span("a", 0, 1, 1.0), n_best=NBest((0,), (1,), (1.0,)), no_answer_score=0.0)

CASES = {
    "all-answered": ([None, None], JobState.DONE),
    "some-refused": ([None, ErrorCode.INVALID_ARGUMENT], JobState.DONE),
    "none-answered": ([ErrorCode.INVALID_ARGUMENT, ErrorCode.OUT_OF_RANGE], JobState.FAILED),
    "poison-beside-an-answer": ([None, ErrorCode.POISON], JobState.DEAD),
    "poison-and-cancelled": ([ErrorCode.POISON, ErrorCode.CANCELLED], JobState.DEAD),
    "cancelled-half-way": ([None, ErrorCode.CANCELLED], JobState.CANCELLED),
    "late-half-way": ([None, ErrorCode.DEADLINE_EXCEEDED], JobState.EXPIRED),
    "worker-gave-up": ([None, ErrorCode.UNAVAILABLE], None),
    "worker-gave-up-on-poison": ([ErrorCode.POISON, ErrorCode.UNAVAILABLE], None),
    "bug": ([ErrorCode.INTERNAL], JobState.FAILED),
}


@pytest.mark.parametrize(("codes", "expected"), CASES.values(), ids=CASES)
def test_worst_decides(codes: list[ErrorCode | None], expected: JobState | None) -> None:
    """The worst outcome of a question decides; what another worker may still answer is given back."""
    assert expected is state_of(result_with(codes))


FAULTS = {
    "answered": ([None], False),
    "refused": ([ErrorCode.INVALID_ARGUMENT], False),
    "withdrawn": ([ErrorCode.CANCELLED], False),
    "bug": ([ErrorCode.INTERNAL], True),
    "bug-beside-an-answer": ([None, ErrorCode.INTERNAL], True),
    "poison": ([ErrorCode.POISON], True),
}


@pytest.mark.parametrize(("codes", "expected"), FAULTS.values(), ids=FAULTS)
def test_fault(codes: list[ErrorCode | None], expected: bool) -> None:
    """An internal error and poison may be the worker's fault; what the client sent or wished is not."""
    assert expected is faulted(result_with(codes))


def result_with(codes: list[ErrorCode | None]) -> TaskResult:
    """A result with one question per code; None for one that was answered."""
    questions = tuple(
        QuestionResult(str(number), answer=ANSWER)
        if code is None
        else QuestionResult(str(number), error=Refusal(code, "no"))
        for number, code in enumerate(codes)
    )
    return TaskResult(id="t", questions=questions)
