"""A worker inside the test's own process and loop: real gRPC, real engine, real device host; no signals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from spanserve.bundle import Bundle
from spanserve.contract import Task, TaskResult
from spanserve.device import Device, DeviceSpec, Slot
from spanserve.doors.access import Access
from spanserve.doors.door import Inside
from spanserve.doors.grpc.door import GrpcDoor
from spanserve.doors.grpc.service import Service
from spanserve.doors.grpc.settings import GrpcSettings
from spanserve.doors.listener import Listener
from spanserve.engine.admission import Admission
from spanserve.engine.engine import Engine
from spanserve.engine.observer import Observer, Observers
from spanserve.engine.state import Event, Lifecycle, State
from spanserve.qa import Encoder, Pipelines
from spanserve.worker.canary import check_goldens
from spanserve.worker.known_rows import KnownRows, shapes_of
from spanserve.worker.metrics import Metrics
from spanserve.worker.status import StatusSource
from tests.kit.engine_rig import EngineRig, WatchedBatcher

#: Of the worker.
NAME = "in-process"


@dataclass(slots=True)
class States(Observer):
    """Every state since the start."""

    seen: list[State] = field(default_factory=list)
    #: Of each.
    reasons: list[str] = field(default_factory=list)
    failed: asyncio.Event = field(default_factory=asyncio.Event)

    def state_changed(self, state: State, reason: str) -> None:
        self.seen.append(state)
        self.reasons.append(reason)
        if state is State.FAILED:
            self.failed.set()


@dataclass(slots=True, kw_only=True)
class Rig(EngineRig[Task, TaskResult]):
    """An engine on a started device, and the strings a test may pull."""

    #: What doors get.
    inside: Inside
    metrics: Metrics
    device: Device
    encoder: Encoder
    #: Set whenever a device host has died; clear it before the next one does.
    host_died: asyncio.Event
    #: Every state the worker has been in since the start.
    states: list[State]
    #: Why it came into each of them.
    reasons: list[str]
    #: Set once the device was given up.
    given_up: asyncio.Event

    @property
    def host_restarts(self) -> int:
        return self.device.starts - 1

    def block(self) -> list[Slot]:
        """Take every free slot, so that nothing reaches the device until they are released."""
        return list(iter(self.device.acquire, None))


@asynccontextmanager
async def rig(
    bundle: Bundle,
    device: str = "sim:fixed",
    *,
    clock: Callable[[], float] = time.monotonic,
    slots: int = 2,
    prove: Callable[[Device, Encoder], object] = lambda device, encoder: None,
    ready: bool = True,
    access: Access | None = None,
    **arguments: Any,
) -> AsyncIterator[Rig]:
    """An engine, ready unless told otherwise. A restarted device is proven by `prove`; `arguments` are for it."""
    loop = asyncio.get_running_loop()
    died = asyncio.Event()

    def log(event: str, **facts: object) -> None:
        if event == "device host died":
            loop.call_soon_threadsafe(died.set)

    real = Device(bundle, DeviceSpec.parse(device), slots=slots, log=log, **arguments)
    encoder = Encoder.of(bundle)

    def restart() -> None:
        real.start()
        prove(real, encoder)

    await asyncio.to_thread(restart)
    metrics, states = Metrics(), States()
    observers = Observers(metrics, states)
    lifecycle = Lifecycle(observers)
    manifest = bundle.manifest
    batcher = WatchedBatcher(bundle.cost_table(), real.max_batch, manifest.max_seq_length)
    engine = Engine[Task, TaskResult](
        pipeline=Pipelines(encoder, manifest, worker=NAME),
        device=real,
        batcher=batcher,
        padded_length=manifest.padded_length,
        prove=restart,
        lifecycle=lifecycle,
        observers=observers,
        clock=clock,
    )
    inside = Inside(
        engine=engine,
        admission=Admission(engine, clock),
        status=StatusSource(NAME, real, engine),
        manifest=manifest,
        access=access or Access(),
    )
    made = Rig(
        engine=engine,
        inside=inside,
        metrics=metrics,
        device=real,
        batcher=batcher,
        encoder=encoder,
        host_died=died,
        states=states.seen,
        reasons=states.reasons,
        given_up=states.failed,
    )
    if ready:
        lifecycle.on(Event.PROVEN)
    try:
        yield made
    finally:
        await engine.close()
        await asyncio.to_thread(real.close)


async def begin_checks(made: Rig) -> None:
    """Have the device checked while it serves, by what it gives to the goldens now."""
    device, manifest = made.device, made.device.bundle.manifest
    shapes = shapes_of(manifest, device.max_batch)
    rows = await asyncio.to_thread(check_goldens, device, made.encoder)
    known = await asyncio.to_thread(KnownRows, rows, manifest, device.compute, shapes[0][1])
    made.engine.spot_checks.begin(known, shapes, made.batcher.cost)


@dataclass(slots=True)
class Served:
    """A `Rig` behind a listening server."""

    rig: Rig
    door: GrpcDoor

    @property
    def address(self) -> str:
        return self.door.address

    @property
    def service(self) -> Service:
        return self.door._service


@asynccontextmanager
async def serving(
    bundle: Bundle,
    device: str = "sim:fixed",
    *,
    listen: str = "127.0.0.1:0",
    listeners: Sequence[Listener] = (),
    access: Access | None = None,
    reflection: bool = False,
    slots: int = 2,
    ready: bool = True,
) -> AsyncIterator[Served]:
    """A server that is ready, on any port unless told otherwise; with `listeners`, on those."""
    async with rig(bundle, device, slots=slots, prove=check_goldens, ready=ready, access=access) as made:
        where = tuple(listeners) or (Listener(address=listen),)
        door = GrpcDoor(made.inside, GrpcSettings(listen=where, reflection=reflection))
        await door.check()
        door.start()
        try:
            yield Served(made, door)
        finally:
            await door.close("the test ends")
