"""The life of a worker process: listen, load, prove, serve, drain, stop.

The doors are open before the model is loaded, so that health and Describe answer at once; signals are handled
before that, so that a worker told to stop while it loads does.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import secrets
import signal
import socket
import time
from collections.abc import Sequence
from functools import partial

import structlog
from prometheus_client import generate_latest

from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.contract.errors import SettingsError, SpanserveError
from spanserve.device import DeviceError, DeviceSpec
from spanserve.device.cpus import format_cpus
from spanserve.doors import descriptors
from spanserve.doors.access import Access
from spanserve.doors.door import Door, Inside
from spanserve.engine.admission import Admission
from spanserve.engine.batcher import Batcher
from spanserve.engine.engine import Engine
from spanserve.engine.observer import Observer, Observers
from spanserve.engine.state import Event, Lifecycle, State
from spanserve.engine.waiting import first
from spanserve.qa import Encoder, Pipelines
from spanserve.worker.card import watch_card
from spanserve.worker.doors import DOORS, DoorMaker, files_of_doors
from spanserve.worker.doubt import AnswersInDoubt
from spanserve.worker.metrics import Metrics
from spanserve.worker.notify import Notifier
from spanserve.worker.pages import Pages
from spanserve.worker.settings import Settings
from spanserve.worker.start import ServingDevice
from spanserve.worker.status import StatusSource
from spanserve.worker.tracing import begin_tracing

EXIT_OK = 0
#: Told twice to stop, or held tasks did not finish in time.
EXIT_CUT_SHORT = 1
#: The device failed: EX_SOFTWARE. Whoever supervises should look before starting again.
EXIT_DEVICE_FAILED = 70

log = structlog.get_logger(__name__)


def run_worker(settings: Settings, doors: Sequence[DoorMaker] = DOORS) -> int:
    """Run a worker until it is told to stop. Returns the exit status.

    Raises:
        SpanserveError: it could not start.
    """
    if settings.exit_with_parent is not None:
        _exit_with(settings.exit_with_parent)
    descriptors.raise_limit()
    if settings.cpus:
        pin(settings.cpus)
    # One task at a time is tokenised, in a thread; the tokenizer's own threads would only contend.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

    async def live() -> int:
        return await Worker(settings, doors).run()

    return asyncio.run(live())


class Worker(Observer):
    """One worker, put together; made inside the event loop that runs it.

    Args:
        doors: functions that make its doors.

    Raises:
        SpanserveError: bundle, device and settings do not go together.
    """

    def __init__(self, settings: Settings, doors: Sequence[DoorMaker] = DOORS) -> None:
        self.settings = settings
        bundle = DeviceSpec.parse(settings.device).kind.open(settings.bundle, settings.precision)
        manifest, encoder = bundle.manifest, Encoder.of(bundle)
        name = settings.name or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.metrics = Metrics()
        self.metrics.info.labels(name, settings.device, manifest.digest).set(1)
        doubt = AnswersInDoubt(
            settings.doubt_dir,
            device=settings.device,
            model_digest=manifest.digest,
            told=self.metrics.answers_in_doubt.set,
        )
        observers = Observers(self.metrics, doubt, self)
        self.tracing = begin_tracing(name, observers)
        self.lifecycle = Lifecycle(observers)
        loop = asyncio.get_running_loop()
        restarted = partial(loop.call_soon_threadsafe, observers.tell, Observer.host_restarted)
        self.serving = ServingDevice(bundle, encoder, settings, restarted)
        device = self.serving.device
        self.engine = Engine[Task, TaskResult](
            pipeline=Pipelines(encoder, manifest, worker=name),
            device=device,
            batcher=Batcher(self.serving.prior, device.max_batch, manifest.max_seq_length),
            padded_length=manifest.padded_length,
            prove=self.serving.prove,
            lifecycle=self.lifecycle,
            observers=observers,
            clock=time.monotonic,
        )
        self.admission = Admission(self.engine, time.monotonic)
        self.access = Access(settings.access, observers, files_of_doors(settings))
        exposition = partial(generate_latest, self.metrics.registry)
        self.pages = Pages(settings, self.access, self._ready, exposition)
        inside = Inside(
            engine=self.engine,
            admission=self.admission,
            status=StatusSource(name, device, self.engine),
            metrics=exposition,
            manifest=manifest,
            access=self.access,
        )
        made = (make(inside, settings) for make in doors)
        self.doors = [door for door in made if door is not None]
        self.notifier = Notifier(settings.notify_socket, settings.watchdog_usec)
        self.card = watch_card(settings, self.metrics.card_read)
        self._background: list[asyncio.Task[None]] = []
        self.stopping = asyncio.Event()
        #: Set by a second signal.
        self.hurry = asyncio.Event()
        self.failed = asyncio.Event()

    async def run(self) -> int:
        """Live from the first sign of life to the last. Returns the exit status.

        Raises:
            SpanserveError: a door cannot be opened.
        """
        loop = asyncio.get_running_loop()
        numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as nohup leaves it
            numbers.remove(signal.SIGHUP)
        for number in numbers:
            # Not `loop.add_signal_handler`: it loses signals while a busy loop has not read its own pipe.
            signal.signal(number, lambda number, _: loop.call_soon_threadsafe(self._on_signal, number))
        watching = asyncio.create_task(self.access.watch())
        try:
            await self.pages.start()
            for door in self.doors:
                await door.check()
            self.notifier.tell(f"STATUS={State.STARTING.value}")
            self._background = [
                asyncio.create_task(work) for work in (self.notifier.keep_alive(), descriptors.watch())
            ]
            if self.card is not None:
                self.card.start()
            await self._load()
            await first(self.stopping, self.failed)
            return EXIT_DEVICE_FAILED if self.failed.is_set() else await self._drain()
        finally:
            watching.cancel()
            await self._close("the device failed" if self.failed.is_set() else "the worker shuts down")

    async def _load(self) -> None:
        """Start the device, prove it, and become ready; unless told to stop meanwhile."""
        began = time.monotonic()
        device = self.serving.device
        loading = asyncio.ensure_future(asyncio.to_thread(self.serving.start))
        stopping = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self.stopping.is_set():
            await asyncio.to_thread(self.serving.device.close)  # ends the load as well, begun or not
            await asyncio.gather(loading, return_exceptions=True)
            return
        try:
            cost = loading.result()
        except DeviceError as error:
            self.engine.give_up(str(error))
            return
        assert self.serving.examiner is not None, "it was started"
        self.engine.use_cost(cost, self.serving.max_batch)
        self.engine.spot_checks.begin(self.serving.examiner, self.serving.shapes, cost)
        gc.collect()
        gc.freeze()  # what lives as long as the worker: looking through it again and again would hold up all callers
        self.lifecycle.on(Event.PROVEN)
        log.info(
            "ready",
            seconds=round(time.monotonic() - began, 3),
            precision=device.bundle.manifest.precision,
            variants=[variant.precision for variant in device.bundle.variants],
            threads=device.info.get("threads"),
            threads_reason=device.threads_reason,
            slots=device.slots,
            spot_check_round_s=round(self.engine.spot_checks.round_s),
            host=device.info,
        )
        for door in self.doors:
            door.start()

    async def _drain(self) -> int:
        """Take nothing new and finish what is held. Returns the exit status."""
        self.notifier.tell("STOPPING=1", f"STATUS={State.DRAINING.value}")
        if self.lifecycle.state is State.STARTING:
            return EXIT_OK
        draining = asyncio.gather(*map(self._drain_door, self.doors))
        await first(draining, self.hurry, self.failed)
        self.lifecycle.on(Event.STOPPED)
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        idle = asyncio.ensure_future(self.admission.until_idle())
        await first(idle, self.hurry, self.failed, timeout_s=self.settings.drain_timeout_s)
        finished = idle.done()
        idle.cancel()
        if self.failed.is_set():
            return EXIT_DEVICE_FAILED
        if not finished:
            self.engine.abandon(Refusal(ErrorCode.UNAVAILABLE, "the worker shut down", retry_after_ms=0))
        log.info("drained", finished=finished)
        return EXIT_OK if finished else EXIT_CUT_SHORT

    async def _drain_door(self, door: Door) -> None:
        try:
            await door.drain()
        except Exception as error:  # the others have their time all the same
            log.error("door not drained", door=type(door).__name__, exc_info=error)

    async def _close(self, reason: str) -> None:
        """Leave: the doors in their order, then what they stand on; whatever fails, all steps are taken."""
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self.notifier.close)
            if self.tracing is not None:
                stack.push_async_callback(asyncio.to_thread, self.tracing.close)
            for task in self._background:
                stack.callback(task.cancel)
            if self.card is not None:
                stack.callback(self.card.stop, wait=False)
            stack.push_async_callback(self.pages.close)
            stack.push_async_callback(asyncio.to_thread, self.serving.device.close)
            stack.push_async_callback(self.engine.close)
            for door in reversed(self.doors):
                stack.push_async_callback(door.close, reason)

    def state_changed(self, state: State, reason: str) -> None:
        """Tell the supervisor, and the doors what they may have to do."""
        if not self.stopping.is_set():
            status = ": ".join(filter(None, (state.value, reason)))
            self.notifier.tell(f"STATUS={status}", *(["READY=1"] if state is State.READY else []))
        if state is State.RECOVERING:
            for door in self.doors:
                door.give_back()
        if state is State.FAILED:
            self.failed.set()

    def _on_signal(self, number: int) -> None:
        again = self.stopping.is_set()
        if not again:
            self.stopping.set()
        elif number != signal.SIGHUP:  # for a closed terminal both the kernel and the shell may send it
            self.hurry.set()
        log.info("told to stop", signal=signal.Signals(number).name, again=again)

    def _ready(self) -> bool:
        return self.lifecycle.state is State.READY and not self.stopping.is_set()


def pin(cpus: frozenset[int]) -> None:
    """Run this process, and what it starts from now on, on these processors only.

    Raises:
        SettingsError: it may not use any of them.
    """
    try:
        os.sched_setaffinity(0, cpus)
    except (OSError, OverflowError) as error:
        raise SettingsError(f"cpus is {format_cpus(cpus)}: {error}") from None


def _exit_with(parent: int) -> None:
    """Be told to stop when the process `parent`, which started this one, ends; or has ended already."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        raise SpanserveError("the process that started this worker has ended")
