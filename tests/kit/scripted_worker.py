"""A worker of a queue without an engine: claims, ends every task as it is told, and counts what it ran."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from spanserve.contract import Answer, NBest, QuestionResult, Span, Task, TaskResult
from spanserve.queue import Consumer, End, Entry, JobState, Lease, QueueError

#: What the simulated worker says about itself.
FACTS = {"name": "scripted", "state": "ready", "device": "none", "questions_per_s": "10.0"}

#: How a task ends: its state, and what is left as its result.
Script = Callable[[Task], tuple[JobState, bytes]]


def answers(task: Task, worker: str = "scripted") -> TaskResult:
    """A result whose answers are the first word of the context."""
    word = task.context.split()[0]
    start = task.context.index(word)
    span = Span(word, start, start + len(word), 1.0)
    answer = Answer(span, NBest((span.start,), (span.end,), (1.0,)), 0.0)
    questions = tuple(QuestionResult(question.id, answer=answer) for question in task.questions)
    return TaskResult(id=task.id, run_id=task.run_id, questions=questions, worker=worker, model_digest="m")


def done(task: Task) -> tuple[JobState, bytes]:
    """Ends every task well."""
    return JobState.DONE, answers(task).to_bytes()


class ScriptedWorker:
    """One consumer of a queue.

    Args:
        at_once: tasks claimed and ended together.
    """

    def __init__(self, consumer: Consumer, script: Script = done, at_once: int = 16) -> None:
        self.consumer = consumer
        self.script = script
        self.at_once = at_once
        self.stopping = False
        #: Task id -> how often it was run.
        self.runs: Counter[str] = Counter()
        #: Task ids in the order of their runs.
        self.order: list[str] = []

    async def step(self) -> int:
        """Claim once and end what came, the last first; returns how much."""
        claimed = await self.consumer.claim(self.at_once, self.at_once)
        ends = [self._run(entry) for entry in reversed(claimed.entries)]
        await self.consumer.end(ends)
        if claimed.last:
            await self.consumer.wait(claimed.last, 100)
        return len(ends)

    async def one(self) -> None:
        """Claim until there was something, and end that."""
        while not await self.step():
            pass

    async def work(self) -> None:
        """Go on until told to stop, whatever becomes of Redis; what was claimed is ended."""
        self.stopping = False
        while not self.stopping:
            try:
                await self.consumer.beat(FACTS)
                await self.step()
            except QueueError:
                await asyncio.sleep(0.05)

    def _run(self, entry: Entry) -> End:
        task = entry.task()
        self.runs[task.id] += 1
        self.order.append(task.id)
        state, blob = self.script(task)
        return End(Lease(entry.number, entry.id, entry.job), state, blob, reason="told to", model="m")


@asynccontextmanager
async def working(worker: ScriptedWorker) -> AsyncIterator[ScriptedWorker]:
    """A worker at work."""
    running = asyncio.create_task(worker.work())
    try:
        yield worker
    finally:
        worker.stopping = True
        await running
