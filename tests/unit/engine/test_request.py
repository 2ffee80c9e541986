"""A request ends once, with an outcome or an error for every question."""

from __future__ import annotations

from typing import Any

import pytest

from spanserve.contract import ErrorCode, Refusal
from spanserve.engine.request import Request
from tests.kit.rows import make_question, make_request

REFUSED = Refusal(ErrorCode.INTERNAL, "no")
OTHER = Refusal(ErrorCode.UNAVAILABLE, "gone")


def test_the_last_question_ends_the_request() -> None:
    """A request ends with its last question; outcomes keep the order of the questions, not that of their ends."""
    ended: list[Request[Any]] = []
    request = make_request(3, on_end=ended.append)
    request.questions[2].refuse(REFUSED)
    request.questions[0].settle("first")
    assert ([], False) == (ended, request.ended)
    request.questions[1].settle("second")
    assert request.ended
    assert [request] == ended
    assert ["first", "second", None] == [question.outcome for question in request.questions]
    assert [None, None, REFUSED] == [question.error for question in request.questions]


def test_a_question_ends_once() -> None:
    """Settling a question twice is a fault of ours, not of the input."""
    question = make_request(2).questions[0]
    question.refuse(REFUSED)
    with pytest.raises(AssertionError, match="ends once"):
        question.settle("late")


def test_refuse_spares_what_has_ended() -> None:
    """An error for the whole request reaches only the questions that have no outcome, and ends it once."""
    ended: list[Request[Any]] = []
    request = make_request(3, on_end=ended.append)
    request.questions[1].refuse(REFUSED)
    request.refuse(OTHER)
    request.refuse(OTHER)
    assert [OTHER, REFUSED, OTHER] == [question.error for question in request.questions]
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
    """A request must not be computed once it is cancelled or its deadline has come."""
    request = make_request(deadline=deadline, timeout_ms=1)
    request.cancelled = cancelled
    verdict = request.verdict(now)
    assert expected == (verdict and verdict.code)


def test_a_question_waits_for_its_last_window() -> None:
    """A question of three windows is complete with the third, in whatever order they come."""
    question = make_question(windows=3)
    assert [False, False, True] == [question.add(part, f"found {part}") for part in (2, 0, 1)]
    assert ["found 0", "found 1", "found 2"] == question.found


def test_a_refused_question_is_never_complete() -> None:
    """Windows that come back after a question was refused end nothing."""
    question = make_question(windows=2)
    question.add(0, "found")
    question.refuse(REFUSED)
    assert not question.add(1, "found")
