"""How the result of a task ends its job."""

from __future__ import annotations

from spanserve.contract import ErrorCode, TaskResult
from spanserve.queue import JobState


def state_of(result: TaskResult) -> JobState | None:
    """The state a result ends its job in; None if it is to be given back for another worker.

    The worst outcome of a question decides; answers to other questions are kept in the result all the same.
    """
    codes = {question.error.code for question in result.questions if question.error is not None}
    if any(code.retryable for code in codes):
        return None
    if ErrorCode.POISON in codes:
        return JobState.DEAD
    if ErrorCode.CANCELLED in codes:
        return JobState.CANCELLED
    if ErrorCode.DEADLINE_EXCEEDED in codes:
        return JobState.EXPIRED
    if all(question.error is not None for question in result.questions):
        return JobState.FAILED
    return JobState.DONE


def faulted(result: TaskResult) -> bool:
    """Whether a question was lost to a fault that may be the worker's own, and not its client's."""
    codes = {question.error.code for question in result.questions if question.error is not None}
    return bool(codes & {ErrorCode.POISON, ErrorCode.INTERNAL})
