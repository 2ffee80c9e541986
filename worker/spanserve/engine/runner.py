"""From rows to batches that ran: while a slot is free, the backlog gives a batch, and the device computes it.

    take -> backlog -> form -> fill a slot -> device -> decode

Everything but the device itself runs on one event loop, so no state here needs a lock.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

import structlog

from spanserve.bundle import CostTable
from spanserve.contract.trace import logged
from spanserve.engine.announcer import Announcer
from spanserve.engine.background import Background
from spanserve.engine.batch_time import timeout_s
from spanserve.engine.batcher import Batch, Batcher
from spanserve.engine.cost import LearnedCost
from spanserve.engine.decoding import Decoder
from spanserve.engine.device import Accelerator, Slot
from spanserve.engine.observer import Observer, Observers
from spanserve.engine.pipeline import Pipeline
from spanserve.engine.recovery import Recovery
from spanserve.engine.request import Request, Row
from spanserve.engine.spot_checks import SpotChecks
from spanserve.engine.state import Lifecycle
from spanserve.engine.suspicion import charge

log = structlog.get_logger(__name__)


class Runner:
    """Keeps one device busy with the rows it was given, and ends their questions.

    Args:
        pipeline: what the rows are.
        device: started and proven.
        batcher: holds the backlog and the cost table.
        prove: restarts the device and proves it with the goldens; called in a thread after a host death.
        lifecycle: told of what happens to the device.
        observers: told of everything else.
        background: what runs next to the loop's callbacks, and sees to faults in them.
        more: called when a batch has come back: there may be room for more rows.
        given_up: called with the reason when the device cannot be used any more.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline[Any, Any],
        device: Accelerator,
        batcher: Batcher,
        prove: Callable[[], None],
        lifecycle: Lifecycle,
        observers: Observers,
        background: Background,
        more: Callable[[], None],
        given_up: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        #: Windows that wait for a batch or are in one, and batches that are with the device.
        self.held_windows = self.in_flight = 0
        #: Totals since the start.
        self.batches = self.useful_tokens = self.padded_tokens = 0
        self._pipeline = pipeline
        self._device = device
        self._batcher = batcher
        self._observers = observers
        self._background = background
        self._more = more
        self._clock = clock
        self._exclusive = False
        self._cost = LearnedCost(batcher.cost)
        self._decoder = Decoder(pipeline, clock)
        self._announcer = Announcer(self.resume)
        self._loop = asyncio.get_running_loop()
        self._recovery = Recovery(
            prove=prove,
            lifecycle=lifecycle,
            observers=observers,
            recovered=self._pump,
            given_up=given_up,
            spawn=background.spawn,
            clock=clock,
        )
        #: Begun by the part that knows what outputs the device must give.
        self.spot_checks = SpotChecks(
            device=device,
            observers=observers,
            wrong=given_up,
            doubtful=self._recovery.lost,
            wake=self._pump,
            guard=background.guard,
            clock=clock,
        )
        device.on_death = lambda: self._loop.call_soon_threadsafe(self._recovery.lost)

    def use_cost(self, table: CostTable, max_batch: int | None = None) -> None:
        """Start from what batches cost on this device.

        Args:
            max_batch: largest batch that it computes well; None: that the batcher has.
        """
        self._cost = LearnedCost(table)
        self._batcher.cost = table
        if max_batch is not None:
            self._batcher.limit(max_batch)

    def take(self, rows: Iterable[Row]) -> None:
        """Let rows wait for a batch; `work` later."""
        for row in rows:
            self._batcher.add(row)
            self.held_windows += 1

    def work(self) -> None:
        """Rows were taken: tell how many wait, and fill free slots."""
        self._tell_backlog()
        self._pump()

    def resume(self, requests: Iterable[Request[Any]]) -> None:
        """Go on with paused requests."""
        for request in requests:
            for row in request.resume():
                self._batcher.add(row)
        self._pump()

    def drop_withdrawn(self) -> None:
        """End what is no longer waited for, before it costs anything."""
        now = self._clock()
        for row in self._batcher.remove(lambda row: row.question.request.cancelled):
            self._wanted(row, now)
        self._tell_backlog()

    def stop(self) -> None:
        """Send no more batches to the device; one that dies with it does not bring it back."""
        self._recovery.close()

    def close(self) -> None:
        """Stop, and check the device no more."""
        self.stop()
        self.spot_checks.close()

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
            elif len(self._batcher) or not self.spot_checks.take(slot):
                slot.release()
                return

    def _next_batch(self) -> Batch | None:
        """The next batch of rows that are still wanted."""
        while (batch := self._batcher.form(self._clock(), self.in_flight + self.spot_checks.out)) is not None:
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
        estimate = self._batcher.cost.estimate(*shape)
        future = slot.submit(*shape, timeout_s(estimate))
        self.spot_checks.used(*shape)
        self.in_flight += 1
        self._exclusive = batch.exclusive
        if batch.exclusive:
            self._observers.tell(Observer.request_alone, rows[0].question.request)
        self.batches += 1
        self.useful_tokens += sum(row.window.tokens for row in rows)
        self.padded_tokens += len(rows) * batch.length
        self._observers.tell(Observer.batch_formed, batch, self._batcher.max_batch)
        self._tell_backlog()
        back = functools.partial(self._background.guard, self._returned, slot, batch, now, estimate)
        future.add_done_callback(lambda future: self._loop.call_soon_threadsafe(back, future))

    def _returned(self, slot: Slot, batch: Batch, sent: float, estimate: float, ran: Future[float]) -> None:
        """A batch has come back, with outputs or without."""
        self.in_flight -= 1
        self._exclusive = False
        if batch.exclusive:
            self._announcer.ended(batch.rows)
        now = self._clock()
        if (error := ran.exception()) is None:
            outputs = slot.outputs(len(batch.rows), batch.length)
            slot.release()  # the device works on while we decode
            self._recovery.batch_returned()
            self._batcher.cost = self._cost.observe(ran.result(), estimate)
            self._observers.tell(Observer.batch_returned, batch, ran.result())
            self._pump()
            self.held_windows -= len(batch.rows)
            self._decoder.decode(batch, outputs, now - sent)
        else:
            slot.release()
            self._failed(batch, error)
        self._pump()
        self._more()

    def _failed(self, batch: Batch, error: BaseException) -> None:
        """Give the rows of a dead batch another run; those that were on the device become suspects."""
        charged, innocent = charge(batch, error, self._device.starts)
        facts = {"rows": len(batch.rows), "charged": charged, **logged(*batch.traces)}
        log.warning("batch failed", error=str(error), **facts)
        self._observers.tell(Observer.batch_failed, batch, error)
        for row in batch.rows:
            self._batcher.add(row)
        self._recovery.batch_failed(error, in_flight=self.in_flight, innocent=innocent)

    def _tell_backlog(self) -> None:
        self._observers.tell(Observer.backlog_changed, len(self._batcher))
