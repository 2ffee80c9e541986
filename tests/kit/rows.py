"""Requests, questions and rows for tests of what lies between intake and device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spanserve.engine.caller import ANYONE, Caller
from spanserve.engine.request import QuestionState, Request, Row
from tests.kit.sums import Stretch

NEVER = float("inf")


def make_request(
    questions: int = 1,
    *,
    deadline: float | None = None,
    timeout_ms: int | None = None,
    attempt: int = 1,
    caller: Caller = ANYONE,
    on_end: Callable[[Request[Any]], None] = lambda request: None,
) -> Request[Any]:
    """A request for nothing in particular."""
    return Request(None, questions, on_end, 0.0, deadline, timeout_ms, attempt, caller)


def make_question(*, windows: int = 1, attempt: int = 1, caller: Caller = ANYONE) -> QuestionState:
    """The only question of a request."""
    question = make_request(attempt=attempt, caller=caller).questions[0]
    question.open([Stretch((1,))] * windows)
    return question


def make_row(
    length: int = 16,
    *,
    due: float = NEVER,
    question: QuestionState | None = None,
    part: int = 0,
    attempt: int = 1,
    caller: Caller = ANYONE,
) -> Row:
    """A row of `length` tokens without padding."""
    asked = question or make_question(attempt=attempt, caller=caller)
    return Row(asked, part, Stretch((1,) * length), length, since=0.0, due=due)
