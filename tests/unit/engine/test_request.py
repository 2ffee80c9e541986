"""A job ends once, with a result for every question in its order."""

from __future__ import annotations

import numpy as np
import pytest

from spanserve.contract import ErrorCode, QuestionResult, Refusal, TaskResult
from spanserve.qa import Candidates
from tests.unit.engine.rows import make_ask, make_job

REFUSED = Refusal(ErrorCode.INTERNAL, "no")
OTHER = Refusal(ErrorCode.UNAVAILABLE, "gone")


def failed(number: int, error: Refusal = REFUSED) -> QuestionResult:
    return QuestionResult(f"q{number}", error=error)


def test_the_last_question_ends_the_job() -> None:
    """A job ends with its last question; results keep the order of the questions, not that of their ends."""
    ended: list[TaskResult] = []
    job = make_job(3, ended=ended)
    job.settle(2, failed(2))
    job.settle(0, failed(0))
    assert ([], False) == (ended, job.ended)
    job.settle(1, failed(1))
    assert job.ended
    assert ["q0", "q1", "q2"] == [question.id for question in ended[0].questions]


def test_a_question_ends_once() -> None:
    """Settling a question twice is a fault of ours, not of the input."""
    job = make_job(2)
    job.settle(0, failed(0))
    with pytest.raises(AssertionError, match="ends once"):
        job.settle(0, failed(0))


def test_settle_all_spares_what_has_ended() -> None:
    """An error for the whole job reaches only the questions that have no outcome, and ends it once."""
    ended: list[TaskResult] = []
    job = make_job(3, ended=ended)
    job.settle(1, failed(1))
    job.settle_all(OTHER)
    job.settle_all(OTHER)
    assert [OTHER, REFUSED, OTHER] == [question.error for question in ended[0].questions]
    assert 1 == len(ended)


VERDICTS = {
    "no-deadline": (None, False, 1e9, None),
    "in-time": (10.0, False, 9.999, None),
    "at-the-deadline": (10.0, False, 10.0, ErrorCode.DEADLINE_EXCEEDED),
    "cancelled": (None, True, 0.0, ErrorCode.CANCELLED),
    "cancelled-and-late": (10.0, True, 11.0, ErrorCode.CANCELLED),
}


@pytest.mark.parametrize(("deadline", "cancelled", "now", "expected"), VERDICTS.values(), ids=VERDICTS)
def test_verdict(deadline: float | None, cancelled: bool, now: float, expected: ErrorCode | None) -> None:
    """A job must not be computed once it is cancelled or its deadline has come."""
    job = make_job(deadline=deadline, timeout_ms=1)
    job.cancelled = cancelled
    verdict = job.verdict(now)
    assert expected == (verdict and verdict.code)


def test_an_ask_is_complete_with_its_last_window() -> None:
    """A question of three windows waits for all three."""
    ask = make_ask(windows=3)
    assert not ask.complete
    nothing = Candidates(*(np.empty(0, np.int32),) * 2, np.empty(0), 0.0)
    ask.found[:2] = [nothing, nothing]
    assert not ask.complete
    ask.found[2] = nothing
    assert ask.complete
