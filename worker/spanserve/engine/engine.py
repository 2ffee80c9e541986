"""The engine: takes tasks, keeps the device busy, settles every question exactly once.

    submit -> wait in fair order -> encode (a thread) -> backlog -> form -> fill a slot -> device -> decode -> finished

Everything but encoding and the device itself runs on one event loop, so no state here needs a lock.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable
from typing import Generic

import structlog

from spanserve.bundle import CostTable
from spanserve.contract import ErrorCode, Priority, Refusal
from spanserve.engine.background import Background
from spanserve.engine.batcher import Batcher
from spanserve.engine.caller import ANYONE, Caller
from spanserve.engine.device import Accelerator
from spanserve.engine.feeder import Feeder
from spanserve.engine.observer import Observer, Observers
from spanserve.engine.origin import UNKNOWN, Origin
from spanserve.engine.pipeline import Pipeline, ResultT, TaskT
from spanserve.engine.request import Request
from spanserve.engine.runner import Runner
from spanserve.engine.state import Event, Lifecycle
from spanserve.engine.witness import Witness
from spanserve.engine.work import Encoded

#: The backlog holds windows for this many full batches, or this many per slot of the device, whichever is more.
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
        #: Total since the start.
        self.ended_questions = 0
        self._pipeline = pipeline
        self._padded_length = padded_length
        self._clock = clock
        self._requests: set[Request[TaskT]] = set()
        self._turning = self._withdrawn = False
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
        self._runner = Runner(
            pipeline=pipeline,
            device=device,
            batcher=batcher,
            prove=prove,
            lifecycle=lifecycle,
            observers=observers,
            background=self._background,
            more=self._feeder.feed,
            given_up=self.give_up,
            clock=clock,
        )
        self.spot_checks = self._runner.spot_checks

    @property
    def held_windows(self) -> int:
        """Windows that wait for a batch or are in one."""
        return self._runner.held_windows

    @property
    def batches(self) -> int:
        """Batches that were sent to the device since the start."""
        return self._runner.batches

    @property
    def useful_tokens(self) -> int:
        """Tokens of the windows in them."""
        return self._runner.useful_tokens

    @property
    def padded_tokens(self) -> int:
        """Tokens that the device computed for them, padding included."""
        return self._runner.padded_tokens

    def use_cost(self, table: CostTable, max_batch: int | None = None) -> None:
        """Start from what batches cost on this device, and make none that are larger than it computes well."""
        self._runner.use_cost(table, max_batch)

    def estimate(self, task: TaskT) -> int:
        """Windows that a task will be cut into, as far as its sizes show."""
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
        self._runner.resume(requests)

    def abandon(self, error: Refusal) -> None:
        """End every request that is held, with the same error."""
        for request in list(self._requests):
            request.refuse(error)

    def give_up(self, reason: str) -> None:
        """The device cannot be used any more: end every request, and take no more."""
        self._runner.stop()
        self.lifecycle.on(Event.GAVE_UP, reason)
        self.abandon(Refusal(ErrorCode.UNAVAILABLE, "the device failed", retry_after_ms=1000))
        log.error("device given up", reason=reason)

    async def close(self) -> None:
        """Stop. To drain, wait for `idle` first."""
        self._runner.close()
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
            self._feeder.drop_withdrawn()
            self._runner.drop_withdrawn()
        self._feeder.feed()

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
        self._runner.work()

    def _enqueue(self, request: Request[TaskT], encoded: Encoded, now: float) -> None:
        patience = 0.0 if request.task.priority is Priority.INTERACTIVE else self.batcher.patience_s
        due = now + patience
        if request.deadline is not None:
            due = min(due, request.deadline - self.batcher.reserve_s(self._runner.in_flight))
        self._runner.take(request.open(encoded, self._padded_length, now, due))
        if request.on_encoded is not None and not request.ended:
            request.on_encoded(request.windows)

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

    def _fault(self, error: BaseException) -> None:
        """Something went wrong that nothing here foresees: better no worker than one that leaves requests open."""
        log.error("engine task failed", exc_info=error)
        self.give_up("a fault inside the engine")
