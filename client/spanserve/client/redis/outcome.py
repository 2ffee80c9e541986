"""Results of tasks whose end has left none, or none that can be used."""

from __future__ import annotations

from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.queue import JobState

_ENDS = {
    JobState.CANCELLED: (ErrorCode.CANCELLED, "the task was withdrawn"),
    JobState.EXPIRED: (ErrorCode.DEADLINE_EXCEEDED, "not computed in time"),
}


def without_result(task: Task, state: JobState) -> TaskResult:
    """The result of a task that has ended in a state and left nothing to fetch."""
    code, message = _ENDS.get(
        state, (ErrorCode.RESULT_EXPIRED, f"the task has ended ({state}), its result is no longer kept")
    )
    return TaskResult.refused(task, Refusal(code, message))


def checked(task: Task, result: TaskResult | None) -> TaskResult:
    """The result, if it is one of this task with every question once and in order; an error in its place if not.

    Args:
        result: None for one that cannot be read.
    """
    if result is not None and (result.id, _ids(result)) == (task.id, _ids(task)):
        return result
    worker = f"worker {result.worker}" if result is not None else "a worker"
    return TaskResult.refused(
        task, Refusal(ErrorCode.INTERNAL, f"{worker} left something else than a result of the task")
    )


def _ids(of: Task | TaskResult) -> list[str]:
    return [question.id for question in of.questions]
