"""Results of tasks whose end has left none."""

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
