"""Results of tasks that have left none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spanserve.client.redis.outcome import without_result
from spanserve.client.result_check import checked
from spanserve.contract import ErrorCode, Question, QuestionResult, Refusal, Task, TaskResult
from spanserve.queue import JobState

TASK = Task(id="t", context="c", questions=(Question("a", "who?"), Question("b", "when?")), run_id="r")
GOOD = TaskResult.refused(TASK, Refusal(ErrorCode.OUT_OF_RANGE, "too long"))


def codes(result: TaskResult) -> list[ErrorCode]:
    return [question.error.code for question in result.questions if question.error is not None]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (JobState.CANCELLED, ErrorCode.CANCELLED),
        (JobState.EXPIRED, ErrorCode.DEADLINE_EXCEEDED),
        (JobState.DONE, ErrorCode.RESULT_EXPIRED),
        (JobState.FAILED, ErrorCode.RESULT_EXPIRED),
        (JobState.DEAD, ErrorCode.RESULT_EXPIRED),
    ],
    ids=str,
)
def test_without_result(state: JobState, expected: ErrorCode) -> None:
    """Every question of the task gets the error that its state stands for; none is worth another try as it is."""
    result = without_result(TASK, state)
    assert ("t", "r", ["a", "b"]) == (
        result.id,
        result.run_id,
        [question.id for question in result.questions],
    )
    assert [expected] * 2 == codes(result)
    assert not expected.retryable


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="unreadable"),
        pytest.param(replace(GOOD, id="u"), id="another task"),
        pytest.param(replace(GOOD, questions=GOOD.questions[:1]), id="a question missing"),
        pytest.param(replace(GOOD, questions=GOOD.questions[::-1]), id="another order"),
        pytest.param(
            replace(GOOD, questions=(GOOD.questions[0], QuestionResult("c", error=GOOD.questions[1].error))),
            id="another question",
        ),
    ],
)
def test_not_a_result_of_the_task(found: TaskResult | None) -> None:
    """What is no result of the task with every question once becomes an error for all of them."""
    assert [ErrorCode.INTERNAL] * 2 == codes(checked(TASK, found))


def test_a_result_of_the_task() -> None:
    """A result of the task is passed on as it is."""
    assert GOOD == checked(TASK, GOOD)
