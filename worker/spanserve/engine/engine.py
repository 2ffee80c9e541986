"""The engine: takes tasks, keeps the device busy, settles every question exactly once.

    submit -> wait in fair order -> encode (a thread) -> backlog -> form -> fill a slot -> device -> decode -> finished

Everything but encoding and the device itself runs on one event loop, so no state here needs a lock.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Generic

import structlog

from spanserve.bundle import CostTable
from spanserve.contract import ErrorCode, Priority, Refusal
from spanserve.contract.trace import logged
from spanserve.engine.announcer import Announcer
from spanserve.engine.background import Background
from spanserve.engine.batch_time import timeout_s
from spanserve.engine.batcher import Batch, Batcher
from spanserve.engine.caller import ANYONE, Caller
from spanserve.engine.cost import LearnedCost
from spanserve.engine.decoding import Decoder
from spanserve.engine.device import Accelerator, Slot
from spanserve.engine.feeder import Feeder
from spanserve.engine.observer import Observer, Observers
from spanserve.engine.origin import UNKNOWN, Origin
from spanserve.engine.pipeline import Pipeline, ResultT, TaskT
from spanserve.engine.recovery import Recovery
from spanserve.engine.request import Request, Row
from spanserve.engine.spot_checks import SpotChecks
from spanserve.engine.state import Event, Lifecycle
from spanserve.engine.suspicion import charge
from spanserve.engine.witness import Witness
from spanserve.engine.work import Encoded

#: The backlog holds windows for this many full batches, or for so many per slot of the device, whichever is more.
HELD_BATCHES = 8
HELD_PER_SLOT = 2
#: Batches of windows that are encoded at a time, as estimated.
BITE_BATCHES = 4
#: Times the capacity at which no more is encoded: where the estimates were too low.
ENCODED_AHEAD = 2

log = structlog.get_logger(__name__)


class Engine(Generic[TaskT, ResultT]):
    """Answers tasks on one device.

    Args:
        pipeline: what the questions are.
        device: started and proven.
        batcher: holds the backlog and the cost table.
        padded_length: tokens of a window -> tokens it is padded to on its own.
        prove: restarts the device and proves it with the goldens; called in a thread after a host death.
        lifecycle: told of what happens to the device.
        observers: told of everything else.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline[TaskT, ResultT],
        device: Accelerator,
        batcher: Batcher,
        padded_length: Callable[[int], int],
        prove: Callable[[], None],
        lifecycle: Lifecycle,
        observers: Observers,
        clock: Callable[[], float],
    ) -> None:
        self.batcher = batcher
        #: Windows it wants to hold: enough to choose from, no more than it can lose.
        self.capacity_windows = max(HELD_BATCHES, HELD_PER_SLOT * device.slots) * batcher.max_batch
        self.lifecycle = lifecycle
        self.observers = observers
        self.idle = asyncio.Event()  # set when the engine holds nothing
        self.idle.set()
        self.held_windows = self._in_flight = 0
        #: Totals since the start.
        self.ended_questions = self.batches = self.useful_tokens = self.padded_tokens = 0
        self._pipeline = pipeline
        self._decoder = Decoder(pipeline, clock)
        self._device = device
        self._padded_length = padded_length
        self._clock = clock
        self._requests: set[Request[TaskT]] = set()
        self._turning = self._withdrawn = self._exclusive = False
        self._cost = LearnedCost(batcher.cost)
        self._announcer = Announcer(self.resume)
        self._loop = asyncio.get_running_loop()
        self._background = Background(self._fault)
        self._feeder = Feeder(
            encode=pipeline.encode,
            bite=BITE_BATCHES * batcher.max_batch,
            wanted=self._hungry,
            encoded=self._encoded,
            spawn=self._background.spawn,
            clock=clock,
        )
        self._recovery = Recovery(
            prove=prove,
            lifecycle=lifecycle,
            observers=observers,
            recovered=self._pump,
            given_up=self.give_up,
            spawn=self._background.spawn,
            clock=clock,
        )
        #: Begun by the part that knows what outputs the device must give.
        self.spot_checks = SpotChecks(
            device=device,
            observers=observers,
            wrong=self.give_up,
            doubtful=self._recovery.lost,
            wake=self._pump,
            guard=self._guarded,
            clock=clock,
        )
        device.on_death = lambda: self._loop.call_soon_threadsafe(self._recovery.lost)

    def use_cost(self, table: CostTable, max_batch: int | None = None) -> None:
        """Start from what batches cost on this device, and make none that are larger than it computes well."""
        self._cost = LearnedCost(table)
        self.batcher.cost = table
        if max_batch is not None:
            self.batcher.limit(max_batch)

    def estimate(self, task: TaskT) -> int:
        """Windows that a task will be cut into, as far as a look at its sizes tells."""
        return self._pipeline.estimate(task)

    def submit(
        self,
        task: TaskT,
        finished: Callable[[ResultT], None],
        *,
        caller: Caller = ANYONE,
        windows: int = 1,
        encoded: Callable[[int], None] | None = None,
        witness: Witness | None = None,
        origin: Origin = UNKNOWN,
    ) -> Request[TaskT]:
        """Take a task; `finished` is called once, on this loop, when it has ended. Doors go through `Admission`.

        Args:
            caller: whose share it runs on.
            windows: what it was estimated at.
            encoded: called with its real windows.
            witness: one that was told of a begin is told of its end when the task is encoded, or ends before.
            origin: where the task was before.
        """
        now = self._clock()
        request = Request(
            task,
            len(task.questions),
            functools.partial(self._ended, finished),
            now,
            None if task.timeout_ms is None else now + task.timeout_ms / 1000,
            task.timeout_ms,
            task.attempt,
            caller,
            windows,
            encoded,
            witness,
            origin,
        )
        self._requests.add(request)
        self.idle.clear()
        patience = 0.0 if task.priority is Priority.INTERACTIVE else self.batcher.patience_s
        self._feeder.push(request, now + patience)
        self.observers.tell(Observer.request_arrived, request)
        self._soon()
        return request

    def cancel(self, request: Request[TaskT], error: Refusal | None = None) -> None:
        """Withdraw a request: it ends at once with this error; without, CANCELLED, soon, unless it is on the device."""
        if not request.ended and not request.cancelled:
            request.cancelled = self._withdrawn = True
            if error is not None:
                request.refuse(error)
            self._soon()

    def pause(self, requests: Iterable[Request[TaskT]]) -> None:
        """Start nothing more of these requests until they are resumed; what is on the device goes on."""
        for request in requests:
            request.paused = True

    def resume(self, requests: Iterable[Request[TaskT]]) -> None:
        """Go on with paused requests."""
        for request in requests:
            for row in request.resume():
                self.batcher.add(row)
        self._pump()

    def abandon(self, error: Refusal) -> None:
        """End every request that is held, with the same error."""
        for request in list(self._requests):
            request.refuse(error)

    def give_up(self, reason: str) -> None:
        """The device cannot be used any more: end every request, and take no more."""
        self._recovery.close()
        self.lifecycle.on(Event.GAVE_UP, reason)
        self.abandon(Refusal(ErrorCode.UNAVAILABLE, "the device failed", retry_after_ms=1000))
        log.error("device given up", reason=reason)

    async def close(self) -> None:
        """Stop. To drain, wait for `idle` first."""
        self._recovery.close()
        self.spot_checks.close()
        await self._background.close()
        self._feeder.close()

    def _soon(self) -> None:
        """Handle what has come or was withdrawn, once for each turn of the loop."""
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turning = False
        if self._withdrawn:
            self._withdrawn = False
            self._drop_withdrawn()
        self._feeder.feed()

    def _drop_withdrawn(self) -> None:
        """End what is no longer waited for, before it costs anything."""
        self._feeder.drop_withdrawn()
        now = self._clock()
        for row in self.batcher.remove(lambda row: row.question.request.cancelled):
            self._wanted(row, now)
        self._tell_backlog()

    def _hungry(self) -> bool:
        """Whether the device will soon need more than is encoded, the largest task not counted."""
        free = ENCODED_AHEAD * self.capacity_windows - self.held_windows
        return free > 0 or free + max((request.charge for request in self._requests), default=0) > 0

    def _encoded(self, bite: list[tuple[Request[TaskT], Encoded | Refusal]]) -> None:
        now = self._clock()
        for request, outcome in bite:
            if request.ended:  # abandoned meanwhile
                continue
            if isinstance(outcome, Refusal):
                request.refuse(outcome)
            else:
                self._enqueue(request, outcome, now)
        self._tell_backlog()
        self._pump()

    def _enqueue(self, request: Request[TaskT], encoded: Encoded, now: float) -> None:
        patience = 0.0 if request.task.priority is Priority.INTERACTIVE else self.batcher.patience_s
        due = now + patience
        if request.deadline is not None:
            due = min(due, request.deadline - self.batcher.reserve_s(self._in_flight))
        for row in request.open(encoded, self._padded_length, now, due):
            self.batcher.add(row)
        self.held_windows += request.windows
        if request.on_encoded is not None and not request.ended:
            request.on_encoded(request.windows)

    def _pump(self) -> None:
        """Fill free slots while there is something to fill them with."""
        while self._recovery.usable and not self._exclusive:
            slot = self._device.acquire()
            if slot is None:
                return
            if self.spot_checks.overdue and self.spot_checks.take(slot):
                continue
            batch = self._next_batch()
            if batch is not None:
                self._dispatch(slot, batch)
            elif len(self.batcher) or not self.spot_checks.take(slot):
                slot.release()
                return

    def _next_batch(self) -> Batch | None:
        """The next batch of rows that are still wanted."""
        while (batch := self.batcher.form(self._clock(), self._in_flight + self.spot_checks.out)) is not None:
            now = self._clock()
            wanted = tuple(row for row in batch.rows if self._wanted(row, now))
            if batch.exclusive and wanted and not self._announcer.announced(wanted):
                continue
            if len(wanted) == len(batch.rows):
                return batch
            if wanted:
                return Batch(wanted, max(row.length for row in wanted), batch.exclusive)
        self._tell_backlog()
        return None

    def _wanted(self, row: Row, now: float) -> bool:
        """Whether a row must still be computed; if not, its question gets the reason."""
        question, request = row.question, row.question.request
        if question.ended:  # a sibling window has ended the question
            self.held_windows -= 1
            return False
        if request.paused:
            request.parked.append(row)
            return False
        verdict = request.verdict(now) or question.blame
        if verdict is None:
            return True
        self.held_windows -= 1
        question.refuse(verdict)
        return False

    def _dispatch(self, slot: Slot, batch: Batch) -> None:
        rows, shape = batch.rows, (len(batch.rows), batch.length)
        try:
            self._pipeline.fill(rows, slot.inputs(*shape))
        except Exception as error:  # no caller may be left waiting
            slot.release()
            self.held_windows -= len(rows)
            self._decoder.spoil(batch, "fill", error)
            return
        now = self._clock()
        for row in rows:
            row.question.request.begin(now - row.since)
        estimate = self.batcher.cost.estimate(*shape)
        future = slot.submit(*shape, timeout_s(estimate))
        self.spot_checks.used(*shape)
        self._in_flight += 1
        self._exclusive = batch.exclusive
        if batch.exclusive:
            self.observers.tell(Observer.request_alone, rows[0].question.request)
        self.batches += 1
        self.useful_tokens += sum(row.window.tokens for row in rows)
        self.padded_tokens += len(rows) * batch.length
        self.observers.tell(Observer.batch_formed, batch, self.batcher.max_batch)
        self._tell_backlog()
        back = functools.partial(self._guarded, self._returned, slot, batch, now, estimate)
        future.add_done_callback(lambda future: self._loop.call_soon_threadsafe(back, future))

    def _guarded(self, step: Callable[..., None], *arguments: Any) -> None:
        """A step that the loop itself calls: a fault in it would be logged there and leave requests open."""
        try:
            step(*arguments)
        except Exception as error:
            self._fault(error)

    def _returned(self, slot: Slot, batch: Batch, sent: float, estimate: float, ran: Future[float]) -> None:
        """A batch has come back, with outputs or without."""
        self._in_flight -= 1
        self._exclusive = False
        if batch.exclusive:
            self._announcer.ended(batch.rows)
        now = self._clock()
        if (error := ran.exception()) is None:
            outputs = slot.outputs(len(batch.rows), batch.length)
            slot.release()  # the device works on while we decode
            self._recovery.batch_returned()
            self.batcher.cost = self._cost.observe(ran.result(), estimate)
            self.observers.tell(Observer.batch_returned, batch, ran.result())
            self._pump()
            self.held_windows -= len(batch.rows)
            self._decoder.decode(batch, outputs, now - sent)
        else:
            slot.release()
            self._failed(batch, error)
        self._pump()
        self._feeder.feed()

    def _ended(self, callback: Callable[[ResultT], None], request: Request[TaskT]) -> None:
        """Every question of a request has its outcome."""
        self._requests.discard(request)
        if not self._requests:
            self.idle.set()
        self.ended_questions += len(request.questions)
        request.ended_at = self._clock()
        result = self._pipeline.finish(request)
        self.observers.tell(Observer.request_ended, request, result)
        callback(result)
        request.let_go()

    def _failed(self, batch: Batch, error: BaseException) -> None:
        """Give the rows of a dead batch another run; those that were on the device become suspects."""
        charged, innocent = charge(batch, error, self._device.starts)
        facts = {"rows": len(batch.rows), "charged": charged, **logged(*batch.traces)}
        log.warning("batch failed", error=str(error), **facts)
        self.observers.tell(Observer.batch_failed, batch, error)
        for row in batch.rows:
            self.batcher.add(row)
        self._recovery.batch_failed(error, in_flight=self._in_flight, innocent=innocent)

    def _tell_backlog(self) -> None:
        self.observers.tell(Observer.backlog_changed, len(self.batcher))

    def _fault(self, error: BaseException) -> None:
        """Something went wrong that nothing here foresees: better no worker than one that leaves requests open."""
        log.error("engine task failed", exc_info=error)
        self.give_up("a fault inside the engine")
