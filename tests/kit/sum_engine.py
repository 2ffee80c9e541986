"""An engine on the adding device, in this process: what a test may pull, and what it may look at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from spanserve.bundle import CostTable
from spanserve.engine.batcher import Batch
from spanserve.engine.engine import Engine
from spanserve.engine.observer import Observer, Observers
from spanserve.engine.request import Request
from spanserve.engine.state import Event, Lifecycle, State
from tests.kit.clock import Clock
from tests.kit.engine_rig import EngineRig, WatchedBatcher
from tests.kit.sums import AddingDevice, AddingSlot, SumPipeline, Sums, SumTask

MAX_BATCH = 16
#: The number that kills the device, or that it will not add.
BAD = 666


@dataclass(slots=True)
class Seen(Observer):
    """What an observer was told."""

    states: list[State] = field(default_factory=list)
    #: Of the last state.
    reason: str = ""
    batches: list[Batch] = field(default_factory=list)
    alone: list[Request[Any]] = field(default_factory=list)
    restarts: int = 0
    waiting: int = 0

    def state_changed(self, state: State, reason: str) -> None:
        self.states.append(state)
        self.reason = reason

    def backlog_changed(self, windows: int) -> None:
        self.waiting = windows

    def batch_formed(self, batch: Batch, max_batch: int) -> None:
        self.batches.append(batch)

    def request_alone(self, request: Request[Any]) -> None:
        self.alone.append(request)

    def host_restarted(self) -> None:
        self.restarts += 1


@dataclass(slots=True, kw_only=True)
class Rig(EngineRig[SumTask, Sums]):
    """An engine on an adding device."""

    device: AddingDevice
    seen: Seen

    def block(self) -> Callable[[], None]:
        """Take every slot, so that nothing reaches the device; returns what gives them back."""
        slots: list[AddingSlot] = list(iter(self.device.acquire, None))

        def unblock() -> None:
            for slot in slots:
                slot.release()

        return unblock


@asynccontextmanager
async def rig(
    *,
    clock: Callable[[], float] | None = None,
    max_batch: int = MAX_BATCH,
    prove: Callable[[], None] | None = None,
    pipeline: SumPipeline | None = None,
    fatal: int | None = None,
    unwanted: int | None = None,
    seconds: Callable[[Any], float] = lambda numbers: 0.0,
    observers: tuple[Observer, ...] = (),
) -> AsyncIterator[Rig]:
    """An engine that is ready."""
    device = AddingDevice(fatal=fatal, unwanted=unwanted, seconds=seconds)
    seen = Seen()
    batcher = WatchedBatcher(CostTable((max_batch,), (64,), ((0.001,),)), max_batch, 64)
    told = Observers(seen, *observers)
    lifecycle = Lifecycle(told)
    engine = Engine(
        pipeline=pipeline or SumPipeline(),
        device=device,
        batcher=batcher,
        padded_length=lambda tokens: -(-tokens // 16) * 16,
        prove=prove or device.restart,
        lifecycle=lifecycle,
        observers=told,
        clock=clock or Clock(),
    )
    lifecycle.on(Event.PROVEN)
    try:
        yield Rig(engine=engine, device=device, seen=seen, batcher=batcher)
    finally:
        await engine.close()


def task(name: str = "t", *rows: tuple[int, ...], **given: Any) -> SumTask:
    return SumTask(name, rows or ((1, 2, 3),), **given)


def tasks(count: int, prefix: str = "t") -> list[SumTask]:
    """Tasks of one row each, every sum different."""
    return [task(f"{prefix}{number}", (number, 1)) for number in range(count)]


def all_added(results: list[Sums]) -> bool:
    return all(code is None for result in results for code in result.codes)
