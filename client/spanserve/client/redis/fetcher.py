"""Results of tasks that have ended in a queue."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from spanserve.client.redis.outcome import without_result
from spanserve.client.result_check import checked
from spanserve.contract import Task, TaskResult
from spanserve.queue import JobId, JobState, Producer


class Fetcher:
    """Fetches results, or says why there are none.

    Its methods raise `QueueError` where Redis cannot be asked.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def results(self, tasks: Sequence[Task]) -> dict[str, TaskResult]:
        """Results by task id, as far as there are any; what cannot be read is the worker's fault."""
        first = tasks[0]
        try:
            found = await self._producer.results(first.tenant, first.run_id, [t.id for t in tasks])
        except DecodeError:
            if len(tasks) == 1:
                return {first.id: checked(first, None)}
            half = len(tasks) // 2
            return await self.results(tasks[:half]) | await self.results(tasks[half:])
        return {task.id: checked(task, found[task.id]) for task in tasks if task.id in found}

    async def explain(self, task: Task, state: JobState | None) -> TaskResult | None:
        """The result of an ended task that has left none; None if it has not ended after all."""
        # The dead may be replayed, and what was to leave a result may be forgotten by Redis between event and fetch.
        if state not in (JobState.CANCELLED, JobState.EXPIRED):
            state = await self._producer.state(JobId.of(task))
            if again := await self.results([task]):  # it has ended between the two looks
                return again[task.id]
        return None if state is None or state is JobState.QUEUED else without_result(task, state)
