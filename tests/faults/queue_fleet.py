"""Workers on a queue, a client that evaluates, and what goes wrong meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from spanserve.bundle import Bundle
from spanserve.client.redis.connection import QueueConnection
from spanserve.client.redis.dispatch import QueueDispatcher
from spanserve.contract import Question, Refusal, Task
from spanserve.contract.trace import TraceContext
from spanserve.queue import (
    Producer,
    QueueError,
    QueueUnavailable,
    RedisSettings,
    Submitted,
)
from tests.faults.faulty_worker import Faults
from tests.faults.oracle import Classes, Journal, Ledger, check
from tests.kit.processes import PATIENCE_S, WorkerProcess
from tests.kit.queue_rig import QueueRig
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import eventually

QUEUE = "q"
RUN = "r"
LEASE_S = 2.0
#: After so many seconds without an end a task is submitted again.
RESUBMIT_S = 1.0


def single_tasks(count: int, prefix: str = "t", context: str = "Anna Holm said", **fields: Any) -> list[Task]:
    """Tasks with one question each, all contexts different."""
    return [
        Task(
            id=f"{prefix}{n}",
            run_id=RUN,
            context=f"{context} {n} froze.",
            questions=(Question(f"{prefix}{n}/0", "Who said?"),),
            **fields,
        )
        for n in range(count)
    ]


class CountingProducer(Producer):
    """Counts tasks whose submit had no reply and which were there all the same, and those that Redis had and forgot."""

    def __init__(self, redis: Any, keys: Any, ledger: Ledger) -> None:
        super().__init__(redis, keys)
        self._ledger = ledger
        self._unknown: set[str] = set()
        self._taken: set[str] = set()

    async def submit(
        self, tasks: Sequence[Task], trace: Callable[[Task], TraceContext | None] = lambda task: None
    ) -> list[Submitted | Refusal | QueueError]:
        try:
            outcomes = await super().submit(tasks, trace)
        except QueueUnavailable:
            self._unknown.update(task.id for task in tasks)
            raise
        for task, outcome in zip(tasks, outcomes, strict=True):
            self._ledger.busy += isinstance(outcome, Refusal) and outcome.retry_after_ms is not None
            if task.id in self._unknown:
                self._unknown.discard(task.id)
                self._ledger.recovered += outcome in (Submitted.KNOWN, Submitted.ENDED)
            if outcome is Submitted.QUEUED:
                self._ledger.forgotten += task.id in self._taken
                self._taken.add(task.id)
        return outcomes


class Evaluation:
    """A client that gets tasks answered, watched while it does."""

    def __init__(
        self, url: str, tasks: list[Task], *, resubmit_s: float = RESUBMIT_S, wait_s: float = PATIENCE_S
    ) -> None:
        self.ledger = Ledger(tasks)
        self._connection = QueueConnection(RedisSettings(url=url), QUEUE)
        self._connection.producer = CountingProducer(
            self._connection.producer._redis, self._connection.keys, self.ledger
        )
        self.dispatcher = QueueDispatcher(
            self._connection, wait_s=wait_s, resubmit_s=resubmit_s, withdraw=False
        )
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with contextlib.aclosing(self.dispatcher.run(self.ledger.tasks)) as arriving:
            async for results in arriving:
                self.ledger.add(results)

    async def reached(self, part: float) -> None:
        """Wait until this part of the tasks has ended."""

        def there() -> bool:
            if self._running.done():
                self._running.result()
            return len(self.ledger.first) >= part * len(self.ledger.tasks)

        await eventually(there)

    async def ended(self) -> Ledger:
        """Wait for the last result."""
        async with asyncio.timeout(4 * PATIENCE_S):
            await self._running
        return self.ledger

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._connection.close()


class QueueFleet:
    """Workers of one queue on one Redis.

    Args:
        start: starts a worker process.
        url: where workers find Redis; a proxy may stand there.
    """

    def __init__(
        self,
        start: Callable[..., WorkerProcess],
        rig: QueueRig,
        bundle: Bundle,
        folder: Path,
        *,
        device: str = "sim:fixed?latency_ms=20",
        lease_s: float = LEASE_S,
        url: str = "",
    ) -> None:
        self.rig = rig
        self.server: RedisServer = rig.server
        self.bundle = bundle
        self.journal_path = folder / "journal.jsonl"
        self.device = device
        self.lease_s = lease_s
        self.url = url or rig.server.url
        self._start = start

    @property
    def journal(self) -> Journal:
        """What workers have done so far."""
        return Journal(self.journal_path)

    def worker(self, *arguments: str, faults: Faults | None = None, **options: Any) -> WorkerProcess:
        """Start a worker; see `WorkerProcess`."""
        env = replace(faults or Faults(), journal=str(self.journal_path)).env
        door = ("--redis", options.pop("url", self.url), "--queue", QUEUE, "--lease", str(self.lease_s))
        return self._start(
            *door,
            *arguments,
            **{"device": self.device, "env": env, "program": "tests.faults.faulty_worker", **options},
        )

    async def ready(self, *workers: WorkerProcess) -> None:
        """Wait until workers are ready."""
        for worker in workers:
            await asyncio.to_thread(worker.wait_ready)

    @asynccontextmanager
    async def supervised(self, *arguments: str, **options: Any) -> AsyncIterator[list[int]]:
        """A worker that is started again whenever it ends; the exit statuses so far."""
        ends: list[int] = []

        async def supervise() -> None:
            while True:
                process = self.worker(*arguments, **options).process
                await eventually(functools.partial(ended, process), patience_s=None)
                ends.append(process.returncode)

        supervising = asyncio.create_task(supervise())
        try:
            yield ends
        finally:
            supervising.cancel()

    @asynccontextmanager
    async def evaluation(
        self, tasks: list[Task], *, url: str = "", **options: Any
    ) -> AsyncIterator[Evaluation]:
        """An evaluation that goes on inside the block; what is left of it afterwards is given up."""
        evaluation = Evaluation(url or self.server.url, tasks, **options)
        try:
            yield evaluation
        finally:
            await evaluation.close()

    async def check(self, ledger: Ledger, **options: Any) -> Classes:
        """Hold the three journals against each other; waits until workers have brought what they hold."""
        await eventually(lambda: self.rig.depth() == (0, 0))
        return await check(ledger, self.journal, self.rig, self.bundle, RUN, **options)


def ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None
