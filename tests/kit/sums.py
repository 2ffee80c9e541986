"""Work that is no question answering: numbers in, sums out, and a device in memory that adds them.

A question is a row of numbers; its windows are stretches of at most `STRETCH` of them. A window's sum depends on its
own row only, so any mix-up of rows is a wrong sum.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from spanserve.contract import ErrorCode, Priority, Refusal
from spanserve.device import BatchFailed, HostDied
from spanserve.engine.pipeline import Inputs, Outputs
from spanserve.engine.request import QuestionState, Request, Row

#: Numbers in a window, at most.
STRETCH = 16


@dataclass(frozen=True, slots=True)
class SumTask:
    """Rows of numbers to add."""

    name: str
    questions: tuple[tuple[int, ...], ...]
    timeout_ms: int | None = None
    priority: Priority = Priority.BULK
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Sums:
    """Per row the sum, or why there is none."""

    name: str
    sums: tuple[float | None, ...]
    errors: tuple[Refusal | None, ...]
    attempt: int

    @property
    def codes(self) -> list[ErrorCode | None]:
        return [None if error is None else error.code for error in self.errors]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A window."""

    numbers: tuple[int, ...]

    @property
    def tokens(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """A question; an empty row is refused."""

    windows: tuple[Stretch, ...]
    error: Refusal | None = None


@dataclass(frozen=True, slots=True)
class EncodedSums:
    """A task."""

    questions: tuple[EncodedRow, ...]


class SumPipeline:
    """The stages."""

    def estimate(self, task: SumTask) -> int:
        return max(1, sum(max(1, -(-len(row) // STRETCH)) for row in task.questions))

    def encode(self, task: SumTask) -> EncodedSums:
        """Raises: Refusal: the task has no name."""
        if not task.name:
            raise Refusal.invalid("name", "is empty")
        return EncodedSums(tuple(map(_encoded, task.questions)))

    def fill(self, rows: Sequence[Row], inputs: Inputs) -> None:
        numbers = inputs["numbers"]
        numbers.fill(0)
        for line, row in zip(numbers, rows, strict=True):
            line[: row.window.tokens] = row.window.numbers  # type: ignore[attr-defined] # ours are Stretches

    def decode(self, outputs: Outputs, rows: Sequence[Row]) -> list[float]:
        return [float(found) for found in outputs["sums"][: len(rows), 0]]

    def answer(self, question: QuestionState) -> float:
        return float(sum(question.found))

    def finish(self, request: Request[SumTask]) -> Sums:
        states = request.questions
        return Sums(
            request.task.name,
            tuple(state.outcome for state in states),
            tuple(state.error for state in states),
            request.attempt,
        )


def _encoded(row: tuple[int, ...]) -> EncodedRow:
    if not row:
        return EncodedRow((), Refusal.invalid("questions", "holds no number"))
    return EncodedRow(tuple(Stretch(row[at : at + STRETCH]) for at in range(0, len(row), STRETCH)))


@dataclass(slots=True, eq=False)
class AddingSlot:
    """A place for one batch of the adding device."""

    device: AddingDevice
    numbers: Any = None
    sums: Any = None
    lane: int = 0

    def inputs(self, batch: int, length: int) -> Inputs:
        self.numbers = np.empty((batch, length), np.int32)
        return {"numbers": self.numbers}

    def outputs(self, batch: int, length: int) -> Outputs:
        return {"sums": self.sums}

    def submit(self, batch: int, length: int, timeout_s: float, lane: int | None = None) -> Future[float]:
        assert (batch, length) == self.numbers.shape
        self.lane = len(self.device.ran) % self.device.lanes if lane is None else lane
        return self.device.run(self)

    def release(self) -> None:
        self.device.free.append(self)


class AddingDevice:
    """A device in this process: batches come back in the next turn of the loop, or after `seconds`.

    Args:
        fatal: a number that kills the device.
        unwanted: a number on which it fails the batch.
        seconds: after which a batch of such numbers comes back.
    """

    def __init__(
        self,
        fatal: int | None = None,
        unwanted: int | None = None,
        *,
        seconds: Callable[[Any], float] = lambda numbers: 0.0,
    ) -> None:
        self.seconds = seconds
        #: Whether it adds wrong, by lane, batch and length.
        self.wrong: Callable[[int, int, int], bool] = lambda lane, batch, length: False
        self.lanes = 2
        self.fatal = fatal
        self.unwanted = unwanted
        self.on_death: Callable[[], object] = lambda: None
        self.starts = 1
        self.slots = 2
        self.alive = True
        #: Rows of every batch that was run, in order.
        self.ran: list[int] = []
        self.free = [AddingSlot(self) for _ in range(2)]
        self._running: dict[AddingSlot, Future[float]] = {}

    def acquire(self) -> AddingSlot | None:
        return self.free.pop() if self.free else None

    def restart(self) -> None:
        """What `prove` does."""
        self.starts += 1
        self.alive = True

    def die(self) -> None:
        """The host is gone, with all that is on it."""
        self.alive = False
        running, self._running = self._running, {}
        for future in running.values():
            future.set_exception(HostDied("the device host died", ran=True))
        self.on_death()

    def run(self, slot: AddingSlot) -> Future[float]:
        future: Future[float] = Future()
        self.ran.append(len(slot.numbers))
        if not self.alive:
            future.set_exception(HostDied("the device host is gone", ran=False))
            return future
        self._running[slot] = future
        loop = asyncio.get_running_loop()
        if seconds := self.seconds(slot.numbers):
            loop.call_later(seconds, self._come_back, slot)
        else:
            loop.call_soon(self._come_back, slot)
        return future

    def _come_back(self, slot: AddingSlot) -> None:
        if slot not in self._running:  # it died meanwhile
            return
        if (slot.numbers == self.fatal).any():
            self.die()
            return
        future = self._running.pop(slot)
        if (slot.numbers == self.unwanted).any():
            future.set_exception(BatchFailed("not with me"))
            return
        slot.sums = slot.numbers.sum(axis=1, keepdims=True).astype(np.float32)
        if self.wrong(slot.lane, *slot.numbers.shape):
            slot.sums += 1
        future.set_result(self.seconds(slot.numbers) or 0.001)
