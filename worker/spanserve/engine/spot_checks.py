"""Spot checks: while a device serves, it is sent batches whose outputs are known, in each shape and lane in turn.

They take the device's free time, and no more than `SHARE` of it: a check that took a second is followed by a thousand
without one. On a device that has no free time a check waits twice as long, and then goes before what waits. An
`Examiner` knows what the outputs should be; this module decides when a check runs, in which shape, and in which lane.
"""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from spanserve.bundle import CostTable
from spanserve.device import HostDied
from spanserve.engine.batch_time import timeout_s
from spanserve.engine.device import Accelerator, Slot
from spanserve.engine.observer import Observer, Observers
from spanserve.engine.pipeline import Inputs, Outputs

#: Of a device's time that may go into spot checks.
SHARE = 0.001
#: Times that wait after which a check goes before what waits for the device.
PATIENCE = 2

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """A batch of `batch` windows padded to `length` tokens in one lane of the device."""

    batch: int
    length: int
    lane: int


class Examiner(Protocol):
    """Knows what outputs a device must give."""

    def fill(self, inputs: Inputs) -> Any:
        """Fill a batch, [B, S] each, with rows whose outputs are known; returns what `fault` has to know of it."""

    def fault(self, filled: Any, outputs: Outputs) -> str:
        """What is wrong with the outputs, [B, S] each; empty if nothing is."""


class SpotChecks:
    """When the device is checked, and how. Does nothing before `begin`.

    Args:
        wrong: called with the reason when the device gave wrong outputs.
        doubtful: called when it refused a batch that it should be able to compute.
        wake: called when a check is due, and when one has come back.
        guard: calls a function with its arguments on behalf of the event loop, and sees to what it raises.
        clock: seconds, monotonic; that of the event loop.
    """

    def __init__(
        self,
        *,
        device: Accelerator,
        observers: Observers,
        wrong: Callable[[str], None],
        doubtful: Callable[[], None],
        wake: Callable[[], None],
        guard: Callable[..., None],
        clock: Callable[[], float],
    ) -> None:
        self._device = device
        self._observers = observers
        self._wrong = wrong
        self._doubtful = doubtful
        self._wake = wake
        self._guard = guard
        self._clock = clock
        self._examiner: Examiner | None = None
        self._shapes: dict[tuple[int, int], None] = {}
        #: Those that come next, the first first.
        self._line: dict[SpotCheck, None] = {}
        #: Those of shapes that batches were in since.
        self._used: set[SpotCheck] = set()
        self._lanes = 0
        self._due = self._overdue = math.inf
        self._timer: asyncio.TimerHandle | None = None
        #: Checks that are with the device.
        self.out = 0

    def begin(self, examiner: Examiner, shapes: Sequence[tuple[int, int]], cost: CostTable) -> None:
        """Check the device from now on.

        Args:
            shapes: (batch, length) of every batch that it computes, in the order in which they are checked.
            cost: what batches cost on it.
        """
        self._examiner, self._shapes, self._cost = examiner, dict.fromkeys(shapes), cost
        self._wait(cost.estimate(*shapes[0]))

    @property
    def round_s(self) -> float:
        """Seconds in which every shape was checked in every lane, on a device that has free time."""
        lanes = self._device.lanes
        return lanes * sum(self._cost.estimate(*shape) for shape in self._shapes) / SHARE

    @property
    def overdue(self) -> bool:
        """Whether a check must go before what waits for the device."""
        return self._clock() >= self._overdue and not self.out

    def used(self, batch: int, length: int) -> None:
        """A batch of this shape goes to the device: its shape is checked before those that nothing was in."""
        if self._examiner is None:
            return
        shape = (batch, length)
        if shape not in self._shapes:  # padded by the device to one that holds it
            shape = min(s for s in self._shapes if s[0] >= batch and s[1] >= length)
        self._used.update(SpotCheck(*shape, lane) for lane in range(self._device.lanes))

    def take(self, slot: Slot) -> bool:
        """Send a check in a free slot, if one is due. Whether it did; the slot is given back when it returns."""
        if self._examiner is None or self.out or self._clock() < self._due:
            return False
        check = self._next()
        filled = self._examiner.fill(slot.inputs(check.batch, check.length))
        self._observers.tell(Observer.spot_check_sent, check)
        estimate = self._cost.estimate(check.batch, check.length)
        loop = asyncio.get_running_loop()
        back = functools.partial(self._guard, self._returned, check, filled, slot, self._clock())
        self.out += 1
        future = slot.submit(check.batch, check.length, timeout_s(estimate), check.lane)
        future.add_done_callback(lambda future: loop.call_soon_threadsafe(back, future))
        return True

    def close(self) -> None:
        """Stop checking."""
        self._examiner = None
        self._overdue = math.inf
        if self._timer is not None:
            self._timer.cancel()

    def _next(self) -> SpotCheck:
        """That of a used shape which was longest ago; else that of any."""
        if self._lanes != self._device.lanes:
            self._lanes = self._device.lanes
            self._line = dict.fromkeys(
                SpotCheck(*shape, lane) for shape in self._shapes for lane in range(self._lanes)
            )
            self._used &= self._line.keys()
        check = next((check for check in self._line if check in self._used), next(iter(self._line)))
        del self._line[check]
        self._line[check] = None
        self._used.discard(check)
        return check

    def _returned(
        self, check: SpotCheck, filled: Any, slot: Slot, sent: float, future: Future[float]
    ) -> None:
        self.out -= 1
        error = future.exception()
        outputs = slot.outputs(check.batch, check.length) if error is None else None
        slot.release()
        took = self._clock() - sent
        if self._examiner is not None:
            self._wait(took)
        if outputs is not None:
            self._judge(check, filled, outputs, took)
        else:
            self._used.add(check)  # it has shown nothing: it comes again before others
            if not isinstance(error, HostDied):  # of a death the engine is told
                log.warning("spot check failed", error=str(error), check=str(check))
                self._doubtful()
        self._wake()

    def _judge(self, check: SpotCheck, filled: Any, outputs: Outputs, took: float) -> None:
        if self._examiner is None:
            return
        fault = self._examiner.fault(filled, outputs)
        if not fault:
            self._observers.tell(Observer.spot_check_passed, check, took)
            return
        reason = f"wrong answers in batches of {check.batch} x {check.length} in lane {check.lane}: {fault}"
        self.close()
        self._observers.tell(Observer.spot_check_wrong, check, reason)
        self._wrong(reason)

    def _wait(self, took: float) -> None:
        """Leave the device alone for as long as its share wants after a check that took so many seconds."""
        pause = took / SHARE
        self._due = self._clock() + pause
        self._overdue = self._clock() + PATIENCE * pause
        self._timer = asyncio.get_running_loop().call_later(pause, self._guard, self._wake)
