"""What came of tasks, as tests compare it."""

from __future__ import annotations

from collections.abc import Sequence

from spanserve.client import Dispatcher
from spanserve.client.redis import QueueDispatcher
from spanserve.contract import ErrorCode, Task, TaskResult


async def first_results(
    dispatcher: Dispatcher | QueueDispatcher, tasks: Sequence[Task]
) -> dict[str, TaskResult]:
    """First results by task id; a second one is a failure."""
    found: dict[str, TaskResult] = {}
    async for results in dispatcher.run(tasks):
        for result in results:
            assert result.id not in found
            found[result.id] = result
    return found


def codes(result: TaskResult) -> list[ErrorCode | None]:
    """Per question the error code, None for an answer."""
    return [question.error.code if question.error else None for question in result.questions]
