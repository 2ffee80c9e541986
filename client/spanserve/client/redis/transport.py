"""The transport to workers through a queue."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import replace

from spanserve.client.errors import NoWorker
from spanserve.client.redis.connection import QueueConnection
from spanserve.client.redis.dispatch import LONELY_S, QueueDispatcher
from spanserve.client.transport import Described
from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.contract.backoff import Backoff
from spanserve.queue import LONGEST_PAUSE_S, JobId, QueueUnavailable, RedisSettings, WorkerSeen, patiently

#: Seconds that workers get to report their status after a run; they do so about every second.
BEATS_TIMEOUT_S = 3.0
#: Seconds between two looks for that.
LOOK_INTERVAL_S = 0.2


class RedisTransport:
    """Workers that pull their tasks from a queue.

    Args:
        settings: where Redis is, and how to get in.
        queue: name of the queue.
        wait_s: seconds to wait for a worker, or for Redis, that cannot be reached yet.
        tell: called with what is waited for once that takes long, where nothing else shows it.
    """

    unique_names = True

    def __init__(
        self, settings: RedisSettings, queue: str, wait_s: float, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self._connection = QueueConnection(settings, queue)
        self._wait_s = wait_s
        self._tell = tell
        self._told = ""
        self._problem = ""
        self._streams: list[QueueStream] = []

    def stream(self, *, keep: bool = False, tell: Callable[[], None] | None = None) -> QueueStream:
        """A stream of tasks; see `Transport`. Without `tell` it is said here that no worker is there."""

        def say() -> None:
            self._say(stream.problem, -math.inf)

        dispatcher = QueueDispatcher(
            self._connection, wait_s=self._wait_s, withdraw=not keep, tell=tell or say
        )
        stream = QueueStream(dispatcher, self._streams)
        return stream

    async def answer(self, task: Task) -> TaskResult:
        """Have one task answered, by whichever worker takes it; see `Transport`."""
        timeout_s = task.timeout_ms / 1000 + 1 if task.timeout_ms else None
        began = time.monotonic()
        stream = self.stream(tell=lambda: self._say(stream.shares().removeprefix(", "), began))
        try:
            async with asyncio.timeout(timeout_s), contextlib.aclosing(stream.run([task])) as arriving:
                found = await anext(arriving)
        except TimeoutError:
            raise Refusal(
                ErrorCode.DEADLINE_EXCEEDED,
                "no worker took the task in time" + (f": {stream.problem}" if stream.problem else ""),
                field="timeout_ms",
                limit=f"{task.timeout_ms} ms",
            ) from None
        (result,) = found
        if result.shared_error is not None:
            raise result.shared_error
        return result

    async def describe(self) -> Described:
        """What each live worker says, by its consumer name; nothing while Redis is away."""
        return {worker.consumer: worker.status for worker in await self._workers()}

    async def wait_ready(self) -> Described:
        """Wait until a worker is ready; see `Transport`."""
        backoff = Backoff(LONGEST_PAUSE_S)
        began = time.monotonic()
        while True:
            found = await self.describe()
            if any(worker.ready for worker in found.values()):
                return found
            self._say(self._problem, began)
            left_s = began + self._wait_s - time.monotonic()
            if left_s <= 0:
                states = [f"{name}: {worker.state_name}" for name, worker in found.items()]
                reasons = "; ".join(states) or self._problem
                raise NoWorker(
                    f"no worker was ready within {self._wait_s:g} s ({self._connection.name}: {reasons})"
                )
            await asyncio.sleep(min(backoff.next_s(), left_s))

    async def before(self) -> Described:
        """Tasks and results can wait in the queue: no worker has to be there."""
        return await self.describe()

    async def after(self) -> Described:
        """What workers say once each has spoken again."""
        began = time.monotonic()
        while True:
            workers = await self._workers()
            elapsed_s = time.monotonic() - began
            spoken = all(worker.age_ms < elapsed_s * 1000 for worker in workers)
            if spoken or elapsed_s > BEATS_TIMEOUT_S:
                return {worker.consumer: worker.status for worker in workers}
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def cancel(self, task_ids: Iterable[str], run_id: str, tenant: str) -> dict[str, str]:
        """Withdraw tasks of a run, or, without one, of the streams of this client; see `AsyncClient.cancel`."""
        names = list(task_ids)
        if run_id:
            jobs = [JobId(tenant, run_id, name) for name in names]
        else:
            jobs = [job for stream in self._streams for job in stream.jobs(names)]
        outcomes = await patiently(lambda: self._connection.producer.cancel(jobs), self._wait_s)
        found = dict.fromkeys(names, "unknown")
        return found | {job.task_id: outcome for job, outcome in zip(jobs, outcomes, strict=True)}

    async def close(self) -> None:
        await self._connection.close()

    def _say(self, problem: str, since: float) -> None:
        """Report what has been waited for since then, each thing once; a short wait is not reported."""
        if problem and problem != self._told and time.monotonic() - since >= LONELY_S:
            self._told = problem
            self._tell(f"waiting: {problem}")

    async def _workers(self) -> list[WorkerSeen]:
        try:
            workers = await self._connection.workers()
            self._problem = "" if workers else "no worker is alive"
        except QueueUnavailable as error:
            self._problem = str(error)
            workers = []
        return workers


class QueueStream:
    """The tasks of one call, in a run of their own where they name none.

    A queue is shared: tasks without a run would meet those of other clients with the same ids.

    Args:
        dispatcher: for this stream alone.
        streams: where it is to be found while it runs.
    """

    def __init__(self, dispatcher: QueueDispatcher, streams: list[QueueStream]) -> None:
        self._dispatcher = dispatcher
        self._streams = streams

    async def run(self, tasks: Iterable[Task]) -> AsyncGenerator[list[TaskResult]]:
        """Yield results until every task has one; see `QueueDispatcher.run`."""
        todo = list(tasks)
        own = not any(task.run_id for task in todo)
        if own:
            run_id = secrets.token_hex(8)
            todo = [replace(task, run_id=run_id) for task in todo]
        self._streams.append(self)
        try:
            async with contextlib.aclosing(self._dispatcher.run(todo)) as arriving:
                async for results in arriving:
                    yield [replace(result, run_id="") for result in results] if own else results
        finally:
            self._streams.remove(self)

    def shares(self) -> str:
        return self._dispatcher.shares()

    @property
    def problem(self) -> str:
        """Why there is no worker; see `QueueDispatcher.problem`."""
        return self._dispatcher.problem

    @property
    def copies(self) -> int:
        """None: a task is leased to one worker."""
        return 0

    @property
    def silent(self) -> tuple[str, ...]:
        """None: no particular worker is asked."""
        return ()

    def jobs(self, task_ids: Iterable[str]) -> list[JobId]:
        """The jobs of those of the tasks that have no end yet."""
        return self._dispatcher.jobs(task_ids)
