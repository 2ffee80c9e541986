"""The dispatcher of a queue: submits tasks, follows the events of their run, and fetches the results.

Redis, the workers and this client may all go away and come back: what the queue has it keeps, and what it has lost is
submitted again. Every task ends in exactly one result that is passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence

from spanserve.client.errors import ClientError, NoWorker
from spanserve.client.redis.connection import BLOCK_MS, QueueConnection
from spanserve.client.redis.fetcher import Fetcher
from spanserve.client.redis.outbox import Outbox
from spanserve.client.spans import TaskSpans
from spanserve.client.transport import distinct
from spanserve.contract import Refusal, Task, TaskResult
from spanserve.contract.backoff import Backoff
from spanserve.queue import LONGEST_PAUSE_S, JobId, JobState, NoQueue, QueueError, QueueUnavailable, Submitted
from spanserve.queue.calls import MAX_PIPELINE
from spanserve.queue.connection import CALL_TIMEOUT_S

#: Seconds after which a task without an end is submitted again.
RESUBMIT_S = 30.0
#: Seconds between two looks at whether any worker is there.
WATCH_INTERVAL_S = 1.0
#: Seconds between two reads of events: under load one read then returns many ends.
GATHER_S = 0.02
#: Seconds without a worker or a result after which progress says so.
LONELY_S = 2.0
#: Seconds between two looks at whether there is something to submit, or to give up for.
LOOK_INTERVAL_S = 0.1
#: Seconds for withdrawing what is no longer waited for.
WITHDRAW_TIMEOUT_S = 5.0


class QueueDispatcher:
    """Sends the tasks of a run through a queue and yields their results.

    Args:
        connection: to the queue.
        wait_s: how long to go on without any result while there is no live worker, or no Redis.
        resubmit_s: see `Outbox`.
        withdraw: whether leaving early cancels what has no end. If not, it stays for a client that resumes the run.
        tell: called when `shares` says something new without a result, and every second while it says why
            there are none.
        clock: seconds, monotonic.
        chance: source of jitter.
    """

    def __init__(
        self,
        connection: QueueConnection,
        *,
        wait_s: float = 60.0,
        resubmit_s: float = RESUBMIT_S,
        withdraw: bool = True,
        tell: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._connection = connection
        self._wait_s = wait_s
        self._resubmit_s = resubmit_s
        self._withdraw_rest = withdraw
        self._tell = tell
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 - jitter, no secret
        self._outbox = Outbox((), resubmit_s)
        self._spans = TaskSpans()
        self._fetcher = Fetcher(connection.producer)
        self._arrived: list[TaskResult] = []
        self._arrival = asyncio.Event()
        self._closing = asyncio.Event()
        self._alive = clock()
        #: Why there is no worker, in a few words.
        self._problem = ""
        self._notes = {"submit": "", "follow": "", "watch": ""}
        self._answered: Counter[str] = Counter()

    async def run(self, tasks: Iterable[Task]) -> AsyncGenerator[list[TaskResult]]:
        """Submit tasks, and yield results in any order, available ones together, until every task has one.

        A task that the queue knows from an earlier try is not run again.

        Raises:
            ClientError: two tasks have the same id, or they are not of one run.
            NoWorker: nothing came, and no worker or no Redis was there, for `wait_s`; results yielded stand.
            QueueError: Redis refuses us.
        """
        todo = distinct(tasks)
        if not todo:
            return
        self._outbox = Outbox(todo, self._resubmit_s)
        if len({(task.tenant, task.run_id) for task in todo}) != 1:
            raise ClientError("tasks that go into a queue together must belong to one tenant and one run")
        self._spans.begin(todo)
        self._alive = self._clock()
        loops = self._submit(), self._follow(todo[0].tenant, todo[0].run_id), self._watch()
        submitting, *others = running = [asyncio.create_task(loop) for loop in loops]
        try:
            while self._outbox.waiting or self._arrived:
                arrived = await self._next(running)
                if arrived:
                    yield arrived
        finally:
            self._closing.set()
            for task in others:
                task.cancel()
            # Not cut off: what it is submitting now has to be known before the rest is withdrawn.
            await asyncio.wait([submitting], timeout=CALL_TIMEOUT_S)
            submitting.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._spans.close()
            if self._withdraw_rest:
                await self._withdraw()

    def shares(self) -> str:
        """Who answered how many questions, and what is waited for; for a progress line."""
        shares = "".join(f", {worker} {count}" for worker, count in sorted(self._answered.items()))
        return (shares if len(self._answered) > 1 else "") + "".join(dict.fromkeys(self._notes.values()))

    @property
    def problem(self) -> str:
        """Why there is no worker, once none has been seen for a while; empty before."""
        return self._problem if self._clock() - self._alive > LONELY_S else ""

    def jobs(self, task_ids: Iterable[str]) -> list[JobId]:
        """The jobs of those of the tasks that have no end yet."""
        found = (self._outbox.waiting.get(task_id) for task_id in task_ids)
        return [JobId.of(task) for task in found if task is not None]

    async def _next(self, running: Sequence[asyncio.Task[None]]) -> list[TaskResult]:
        """The results available now, or none after a moment.

        Raises:
            NoWorker: waiting longer is of no use.
            Exception: that of a loop that has failed.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_INTERVAL_S):
                await self._arrival.wait()
        for task in running:
            if task.done() and not task.cancelled() and (fault := task.exception()) is not None:
                raise fault
        self._arrival.clear()
        arrived, self._arrived = self._arrived, []
        if arrived:
            self._alive = self._clock()
        elif self._clock() - self._alive > self._wait_s:
            name, why = self._connection.name, self._problem or "not tried yet"
            raise NoWorker(f"no worker could be reached within {self._wait_s:g} s ({name}: {why})")
        return arrived

    async def _submit(self) -> None:
        """Submit what is new, and again what has had no end for long."""
        backoff = self._backoff()
        while not self._closing.is_set():
            batch = self._outbox.take(self._clock())
            if not batch:
                await self._pause(LOOK_INTERVAL_S)
                continue
            try:
                submitted = await self._connection.producer.submit(batch, self._spans.trace)
                busy_s = await self._sort(batch, submitted)
                backoff.reset()
                full = f", the queue is full: {self._outbox.unsent:,} tasks wait"
                self._note("submit", full if busy_s else "")
                await self._pause(busy_s)
            except QueueUnavailable as error:
                self._outbox.give_back(batch)
                self._note("submit", f", {error}")
                await self._pause(backoff.next_s())

    async def _sort(
        self, batch: Sequence[Task], outcomes: Sequence[Submitted | Refusal | QueueError]
    ) -> float:
        """Note what became of a submit; returns the seconds to wait before the next, where the queue is full.

        Raises:
            QueueError: what stood in the way of one; those before it are noted.
        """
        ended: dict[str, JobState | None] = {}
        busy: list[Task] = []
        pause_ms = 0
        for task, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, QueueError):
                raise outcome
            if isinstance(outcome, Refusal):
                if outcome.code.retryable:
                    busy.append(task)
                    pause_ms = max(pause_ms, outcome.retry_after_ms or 1)
                else:
                    self._deliver(task, TaskResult.refused(task, outcome))
            elif outcome in (Submitted.ENDED, Submitted.FORGOTTEN):
                ended[task.id] = None
            else:
                self._outbox.asked(task, self._clock())
        await self._collect(ended)
        self._outbox.give_back(busy)
        return pause_ms / 1000 * self._chance.uniform(0.5, 1.5)

    async def _follow(self, tenant: str, run_id: str) -> None:
        """Read the events of the run, and fetch the results that they announce."""
        backoff = self._backoff()
        cursor = "0"
        while self._outbox.waiting:
            try:
                listener = self._connection.listener
                events = await listener.events(tenant, run_id, cursor, block_ms=BLOCK_MS)
                await self._collect({event.task_id: event.state for event in events})
                cursor = events[-1].cursor if events else cursor
                backoff.reset()
                self._note("follow", "")
                if self._outbox.waiting:
                    await self._pause(GATHER_S)
            except QueueUnavailable as error:
                self._outbox.doubt()
                self._note("follow", f", {error}")
                await self._pause(backoff.next_s())

    async def _collect(self, ends: Mapping[str, JobState | None]) -> None:
        """Fetch and deliver the results of tasks that have ended.

        Args:
            ends: task id -> its state; None for one that is final, but not known.
        """
        tasks = [task for name in ends if (task := self._outbox.waiting.get(name)) is not None]
        for first in range(0, len(tasks), MAX_PIPELINE):
            part = tasks[first : first + MAX_PIPELINE]
            results = await self._fetcher.results(part)
            for task in part:
                result = results.get(task.id) or await self._fetcher.explain(task, ends[task.id])
                if result is None:
                    self._outbox.give_back([task])
                else:
                    self._deliver(task, result)

    async def _watch(self) -> None:
        """Look from time to time whether a worker is there."""
        while True:
            try:
                workers = await self._connection.workers()
                self._problem = "no worker is alive"
                if workers:
                    self._alive = self._clock()
                lonely = self._clock() - self._alive > LONELY_S
                self._note("watch", f", {self._problem}" if lonely else "")
            except QueueUnavailable as error:
                self._problem = str(error)
                self._note("watch", f", {error}" if isinstance(error, NoQueue) else "")
            if any(self._notes.values()):
                self._tell()
            await self._pause(WATCH_INTERVAL_S)

    async def _withdraw(self) -> None:
        """Cancel what has no end; without success where Redis is away."""
        jobs = [JobId.of(task) for task in self._outbox.tried]
        with contextlib.suppress(QueueError, TimeoutError):
            async with asyncio.timeout(WITHDRAW_TIMEOUT_S):
                await self._connection.producer.cancel(jobs)

    def _deliver(self, task: Task, result: TaskResult) -> None:
        """Pass on a result, if it is the first of its task."""
        if self._outbox.end(task.id):
            self._spans.end(result)
            if result.worker:
                self._answered[result.worker] += len(result.questions)
            self._arrived.append(result)
            self._arrival.set()

    def _note(self, who: str, note: str) -> None:
        if self._notes[who] != note:
            self._notes[who] = note
            self._tell()

    async def _pause(self, seconds: float) -> None:
        """Wait; not once the run is over."""
        if not seconds:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    def _backoff(self) -> Backoff:
        return Backoff(LONGEST_PAUSE_S, chance=self._chance)
