"""The engine: takes tasks, keeps the device busy, settles every question exactly once.

    submit -> encode (a thread) -> backlog -> form -> fill a slot -> device -> decode -> job.finished

Everything but tokenisation and the device itself runs on one event loop, so no state here needs a lock.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from typing import Any

import structlog

from spanserve.bundle import CostTable
from spanserve.bundle.manifest import END_LOGITS, START_LOGITS
from spanserve.contract import ErrorCode, QuestionResult, Refusal, Task, TaskResult
from spanserve.contract.limits import MAX_ATTEMPTS
from spanserve.device import BatchFailed, Device, DeviceError, HostDied, Slot
from spanserve.engine.batcher import Batch, Batcher
from spanserve.engine.cost import LearnedCost
from spanserve.engine.deaths import DeathBudget
from spanserve.engine.encoding import EncodingThread
from spanserve.engine.faults import internal_error
from spanserve.engine.request import Ask, Job, Row
from spanserve.engine.state import State
from spanserve.qa import EncodedTask, Encoder, decode, fill
from spanserve.worker.metrics import Metrics

#: A batch may run this many seconds, or this many times its estimate, whichever is more.
BATCH_TIMEOUT_S = 20.0
BATCH_TIMEOUT_FACTOR = 5.0
#: Batches in a row that the device may refuse before the goldens must tell whether it is the device.
REFUSALS_ALLOWED = 3
#: The backlog holds windows for this many full batches.
HELD_BATCHES = 8

log = structlog.get_logger(__name__)


class Engine:
    """Answers tasks on one device.

    Args:
        encoder: text to windows.
        device: started and proven.
        batcher: holds the backlog and the cost table.
        prove: restarts the device and proves it with the goldens; called in a thread after a host death.
        name: of this worker, for results.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        device: Device,
        batcher: Batcher,
        prove: Callable[[], None],
        name: str,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self.encoder = encoder
        self.batcher = batcher
        self.name = name
        self.metrics = metrics
        self.clock = clock
        self.manifest = device.bundle.manifest
        self.model_digest = self.manifest.digest
        self.state = State.STARTING
        self.failure = ""  # why the device was given up
        #: Called after every change of `state`.
        self.on_state: Callable[[State], None] = lambda state: None
        #: Called with a job that has the device for itself.
        self.on_alone: Callable[[Job], None] = lambda job: None
        #: Set when the engine holds nothing.
        self.idle = asyncio.Event()
        self.idle.set()
        self.held_windows = 0
        #: Totals since the start.
        self.ended_questions = self.batches = self.useful_tokens = self.padded_tokens = 0
        self.device = device
        self._prove = prove
        self._jobs: set[Job] = set()
        self._in_flight = 0
        self._exclusive = False
        self._device_up = True
        self._refusals = 0
        self._cost = LearnedCost(batcher.cost)
        self._deaths = DeathBudget()
        self._encoding = EncodingThread(encoder)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        device.on_death = lambda: self._loop.call_soon_threadsafe(self._lost)

    @property
    def capacity_windows(self) -> int:
        """Windows the engine wants to hold: enough to choose from, no more than it can lose."""
        return HELD_BATCHES * self.batcher.max_batch

    def set_state(self, state: State) -> None:
        if self.state is not State.FAILED and state is not self.state:
            self.state = state
            log.info("state", state=state.value)
            self.on_state(state)

    def use_cost(self, table: CostTable) -> None:
        """Start from what batches cost on this device."""
        self._cost = LearnedCost(table)
        self.batcher.cost = table

    def submit(self, tasks: Sequence[Task], finished: Sequence[Callable[[TaskResult], None]]) -> list[Job]:
        """Take tasks; each `finished` is called once, on this loop, when its task has ended.

        The caller sees to it that not much more than `capacity_windows` is held.
        """
        now = self.clock()
        jobs = []
        for task, callback in zip(tasks, finished, strict=True):
            deadline = None if task.timeout_ms is None else now + task.timeout_ms / 1000
            ended = functools.partial(self._ended, callback)
            jobs.append(Job(task, ended, now, self.name, self.model_digest, deadline, attempt=task.attempt))
        if jobs:
            self._jobs.update(jobs)
            self.idle.clear()
            self._spawn(self._encode(jobs))
        return jobs

    def cancel(self, job: Job) -> None:
        """Withdraw a job: it ends CANCELLED unless it is on the device already."""
        job.cancelled = True

    def pause(self, jobs: Iterable[Job]) -> None:
        """Start nothing more of these jobs until they are resumed; what is on the device goes on."""
        for job in jobs:
            job.paused = True

    def resume(self, jobs: Iterable[Job]) -> None:
        """Go on with paused jobs."""
        for job in jobs:
            job.paused = False
            rows, job.parked = job.parked, []
            for row in rows:
                self.batcher.add(row)
        self._pump()

    def abandon(self, error: Refusal) -> None:
        """End every job that is held, with the same error."""
        for job in list(self._jobs):
            job.settle_all(error)

    async def close(self) -> None:
        """Stop. Whoever drains waits for `idle` first."""
        self._device_up = False  # a batch that dies with the device now must not bring the host back
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._encoding.close()

    async def _encode(self, jobs: list[Job]) -> None:
        began = self.clock()
        live = []
        for job in jobs:
            job.encode_began = job.encode_ended = began
            verdict = job.verdict(began)
            if verdict is None:
                live.append(job)
            else:
                job.settle_all(verdict)
        encoded = await self._encoding.encode([job.task for job in live])
        now = self.clock()
        for job, outcome in zip(live, encoded, strict=True):
            job.encode_ended = now
            if isinstance(outcome, Refusal):
                job.settle_all(outcome)
            else:
                self._enqueue(job, outcome, now)
        self._pump()

    def _enqueue(self, job: Job, encoded: EncodedTask, now: float) -> None:
        job.encoded = encoded
        if job.ended:  # abandoned meanwhile
            return
        patience = 0.0 if job.task.priority.name == "INTERACTIVE" else self.batcher.patience_s
        due = now + patience
        if job.deadline is not None:
            due = min(due, job.deadline - self.batcher.reserve_s(self._in_flight))
        for index, question in enumerate(encoded.questions):
            if question.error is not None:
                job.settle(index, QuestionResult(question.id, error=question.error))
                continue
            ask = Ask(job, index, [None] * len(question.windows), attempt=job.attempt)
            for part, window in enumerate(question.windows):
                length = self.manifest.padded_length(window.tokens)
                self.batcher.add(Row(ask, part, window, length, now, due))
            self.held_windows += len(question.windows)
        self.metrics.backlog_windows.set(len(self.batcher))

    def _pump(self) -> None:
        """Fill free slots while there is something to fill them with."""
        while self._device_up and not self._exclusive and self._refusals < REFUSALS_ALLOWED:
            slot = self.device.acquire()
            if slot is None:
                return
            batch = self._next_batch()
            if batch is None:
                slot.release()
                return
            self._dispatch(slot, batch)

    def _next_batch(self) -> Batch | None:
        """The next batch of rows that are still wanted."""
        while (batch := self.batcher.form(self.clock(), self._in_flight)) is not None:
            now = self.clock()
            wanted = tuple(row for row in batch.rows if self._wanted(row, now))
            if len(wanted) == len(batch.rows):
                return batch
            if wanted:
                return Batch(wanted, max(row.length for row in wanted), batch.exclusive)
        self.metrics.backlog_windows.set(len(self.batcher))
        return None

    def _wanted(self, row: Row, now: float) -> bool:
        """Whether a row must still be computed; if not, its question gets the reason."""
        ask = row.ask
        if ask.job.settled(ask.index):  # a sibling window has ended the question
            self.held_windows -= 1
            return False
        if ask.job.paused:
            ask.job.parked.append(row)
            return False
        verdict = ask.job.verdict(now)
        if verdict is None and ask.attempt > MAX_ATTEMPTS:
            verdict = Refusal(
                ErrorCode.POISON,
                f"gave up after {MAX_ATTEMPTS} runs that failed: {ask.last_error or 'the device died'}",
                field=f"questions[{ask.index}]",
            )
        if verdict is None:
            return True
        self.held_windows -= 1
        ask.job.settle(ask.index, QuestionResult(ask.job.task.questions[ask.index].id, error=verdict))
        return False

    def _dispatch(self, slot: Slot, batch: Batch) -> None:
        rows = batch.rows
        arrays = slot.arrays(len(rows), batch.length)
        windows = [row.window for row in rows]
        fill(windows, arrays.inputs, self.encoder.info)
        now = self.clock()
        for row in rows:
            row.ask.job.started = True
            row.ask.job.wait_s = max(row.ask.job.wait_s, now - row.since)
        estimate = self.batcher.cost.estimate(len(rows), batch.length)
        future = slot.submit(len(rows), batch.length, max(BATCH_TIMEOUT_S, BATCH_TIMEOUT_FACTOR * estimate))
        self._in_flight += 1
        self._exclusive = batch.exclusive
        if batch.exclusive:
            self.on_alone(rows[0].ask.job)
        self.batches += 1
        self.useful_tokens += sum(row.window.tokens for row in rows)
        self.padded_tokens += len(rows) * batch.length
        self.metrics.batch_formed(batch, self.batcher.max_batch, len(self.batcher))

        def done(future: Future[float]) -> None:
            self._loop.call_soon_threadsafe(self._returned, slot, batch, future, now, estimate)

        future.add_done_callback(done)

    def _returned(
        self, slot: Slot, batch: Batch, future: Future[float], dispatched: float, estimate: float
    ) -> None:
        """A batch has come back, with logits or without."""
        self._in_flight -= 1
        self._exclusive = False
        now = self.clock()
        error = future.exception()
        if error is None:
            arrays = slot.arrays(len(batch.rows), batch.length)
            start, end = (arrays.outputs[name].copy() for name in (START_LOGITS, END_LOGITS))
            slot.release()  # the device works on while we decode
            self._refusals = 0
            self.batcher.cost = self._cost.observe(future.result(), estimate)
            self.metrics.device_seconds.observe(future.result())
            self._pump()
            self._decode(batch, start, end, dispatched, now)
        else:
            slot.release()
            self._failed(batch, error)
        self._pump()

    def _decode(self, batch: Batch, start: Any, end: Any, dispatched: float, returned: float) -> None:
        rows = batch.rows
        began = self.clock()
        self.held_windows -= len(rows)
        try:
            found = decode(
                start, end, [row.window for row in rows], [row.ask.job.task.options for row in rows]
            )
        except Exception as error:  # nobody may be left waiting
            self._undecoded(rows, internal_error("decode", error))
            return
        complete = []
        for row, candidates in zip(rows, found, strict=True):
            ask = row.ask
            ask.found[row.part] = candidates
            ask.job.device_s = max(ask.job.device_s, returned - dispatched)
            if ask.complete and not ask.job.settled(ask.index):
                complete.append(ask)
        for ask in complete:
            result = ask.answer()
            ask.job.decode_s = max(ask.job.decode_s, self.clock() - began)
            ask.job.settle(ask.index, result)

    def _undecoded(self, rows: Sequence[Row], error: Refusal) -> None:
        """End the questions of a batch whose logits could not be decoded."""
        for ask in {row.ask: None for row in rows}:
            if not ask.job.settled(ask.index):
                ask.job.settle(ask.index, QuestionResult(ask.job.task.questions[ask.index].id, error=error))

    def _ended(self, callback: Callable[[TaskResult], None], job: Job, result: TaskResult) -> None:
        """Every question of a job has its outcome."""
        self._jobs.discard(job)
        if not self._jobs:
            self.idle.set()
        self.ended_questions += len(result.questions)
        self.metrics.job_ended(job, result)
        callback(result)

    def _failed(self, batch: Batch, error: BaseException) -> None:
        """Give the rows of a dead batch another run; those that were on the device become suspects."""
        guilty = isinstance(error, BatchFailed) or (isinstance(error, HostDied) and error.ran)
        asks = {row.ask: None for row in batch.rows}
        suspected = all(ask.attempt > 1 for ask in asks)
        if guilty:
            refused = isinstance(error, BatchFailed)
            for ask in asks:
                ask.charge(
                    "the device refused it" if refused else "", None if refused else self.device.starts
                )
        log.warning("batch failed", error=str(error), rows=len(batch.rows), charged=guilty)
        self.metrics.batches_failed.inc()
        for row in batch.rows:
            self.batcher.add(row)
        self._refusals += isinstance(error, BatchFailed)
        died = not isinstance(error, BatchFailed)
        doubtful = self._refusals >= REFUSALS_ALLOWED and not self._in_flight
        if died or doubtful:
            self._lost(charge=died and not (suspected and guilty))

    def _lost(self, *, charge: bool = True) -> None:
        """The host is gone, or in doubt: the first to notice sees to it, a batch or the host's own end."""
        if self._device_up and self.state is not State.STARTING:  # at the start others see to it
            self._device_up = False
            self._refusals = 0
            self._spawn(self._recover(charge=charge))

    async def _recover(self, *, charge: bool) -> None:
        """Restart the device host and prove it, or give the device up."""
        if self.state is State.READY:
            self.set_state(State.RECOVERING)
        now = self.clock()
        if charge:
            self._deaths.charge(now)
        if reason := self._deaths.verdict(now):
            self.give_up(reason)
            return
        try:
            await asyncio.to_thread(self._prove)
        except DeviceError as error:
            self.give_up(str(error))
            return
        self.metrics.host_restarts.inc()
        self._device_up = True
        if self.state is State.RECOVERING:  # draining may have begun meanwhile
            self.set_state(State.READY)
        self._pump()

    def give_up(self, reason: str) -> None:
        """The device is of no use any more: end every job, and take none again."""
        self._device_up, self.failure = False, reason
        self.set_state(State.FAILED)
        self.abandon(Refusal(ErrorCode.UNAVAILABLE, "the device failed", retry_after_ms=1000))
        log.error("device given up", reason=reason)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("engine task failed", exc_info=error)
            self.give_up("a fault inside the engine")
