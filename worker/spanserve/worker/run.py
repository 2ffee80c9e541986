"""The life of a worker process: listen, load, prove, serve, drain, stop.

The server listens before the model is loaded, so that health and Describe answer at once; signals are
handled before that, so that a worker told to stop while it loads does.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import signal
import socket
import time

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from spanserve.bundle import Bundle, CostTable
from spanserve.contract import ErrorCode, Refusal
from spanserve.contract.errors import SettingsError, SpanserveError
from spanserve.device import Device, DeviceError, DeviceSpec, read_environment
from spanserve.device.cpus import format_cpus
from spanserve.doors.grpc.server import Server
from spanserve.doors.grpc.service import Service
from spanserve.doors.redis.door import RedisDoor
from spanserve.engine.batcher import Batcher
from spanserve.engine.engine import Engine
from spanserve.engine.state import State
from spanserve.engine.waiting import first
from spanserve.qa import Encoder
from spanserve.worker.canary import check_goldens
from spanserve.worker.cost import measured_cost, prior_cost
from spanserve.worker.metrics import Metrics
from spanserve.worker.notify import Notifier
from spanserve.worker.pages import Page, Pages
from spanserve.worker.settings import Settings
from spanserve.worker.slots import enough_slots, measure_slots

EXIT_OK = 0
#: Told twice to stop, or held tasks did not finish in time.
EXIT_CUT_SHORT = 1
#: The device failed: EX_SOFTWARE. Whoever supervises should look before starting again.
EXIT_DEVICE_FAILED = 70
#: Seconds that ends on their way to Redis get; those that are late are computed again elsewhere.
DOOR_GRACE_S = 5.0
#: Seconds that open calls get once nothing is held any more.
STOP_GRACE_S = 1.0

log = structlog.get_logger(__name__)


def run_worker(settings: Settings) -> int:
    """Run a worker until it is told to stop. Returns the exit status.

    Raises:
        SpanserveError: it could not start.
    """
    if settings.exit_with_parent is not None:
        _exit_with(settings.exit_with_parent)
    if settings.cpus:
        pin(settings.cpus)
    # One task at a time is tokenised, in a thread; the tokenizer's own threads would only contend.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return asyncio.run(_Worker(settings).run())


class _Worker:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        spec = DeviceSpec.parse(settings.device)
        self.bundle = Bundle.open(settings.bundle, targets=spec.kind.targets)
        self.device = Device(
            self.bundle,
            spec,
            slots=settings.slots or max(spec.kind.slots, spec.kind.most_slots),
            max_batch=settings.max_batch_size,
            python=spec.interpreter(settings.magicmind_python),
            environment=read_environment(settings.device_env) if settings.device_env else None,
            log=log.info,
        )
        self.encoder = Encoder.of(self.bundle)
        self.cost = prior_cost(self.device)
        self.stopping = asyncio.Event()
        #: Set by a second signal.
        self.hurry = asyncio.Event()
        self.failed = asyncio.Event()
        self.notifier = Notifier(settings.notify_socket, settings.watchdog_usec)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        manifest = self.bundle.manifest
        name = self.settings.name or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        metrics = Metrics()
        metrics.info.labels(name, self.settings.device, manifest.digest).set(1)
        self.engine = Engine(
            encoder=self.encoder,
            device=self.device,
            batcher=Batcher(self.cost, self.device.max_batch, manifest.max_seq_length),
            prove=self._prove,
            name=name,
            metrics=metrics,
            clock=time.monotonic,
        )
        self.service = Service(self.engine)
        self.server = Server(self.service, self.settings, f"model/{manifest.name}@{manifest.digest}")
        self.engine.on_state = self._on_state
        self.door = self._make_door()
        alive: asyncio.Task[None] | None = None
        try:
            if self.door is not None:
                await self.door.check()
            await self.server.start()
            await self._serve_metrics(metrics)
            self.notifier.tell(f"STATUS={State.STARTING.value}")
            alive = asyncio.create_task(self.notifier.keep_alive())
            log.info(
                "listening", address=self.server.address, device=self.settings.device, bundle=manifest.name
            )
            await self._load()
            await first(self.stopping, self.failed)
            if self.failed.is_set():
                return await self._fail()
            return await self._drain()
        finally:
            try:
                if self.door is not None:
                    await self.door.close(DOOR_GRACE_S)
            finally:
                await self.server.stop(0)
            await self.engine.close()
            await asyncio.to_thread(self.device.close)
            if alive is not None:
                alive.cancel()
            self.notifier.close()

    def _make_door(self) -> RedisDoor | None:
        settings = self.settings
        if settings.redis is None:
            return None
        return RedisDoor(
            self.engine, self.service.pool, settings.redis, settings.queue, settings.queue_config
        )

    async def _load(self) -> None:
        """Start the device, prove it, and become ready; unless told to stop meanwhile."""
        began = time.monotonic()
        loading = asyncio.ensure_future(asyncio.to_thread(self._start_device))
        stopping = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self.stopping.is_set():
            await asyncio.to_thread(self.device.close)  # ends the load as well, begun or not
            await asyncio.gather(loading, return_exceptions=True)
            return
        try:
            self.engine.use_cost(loading.result())
        except DeviceError as error:
            self.engine.give_up(str(error))
            return
        self.engine.set_state(State.READY)
        log.info(
            "ready",
            seconds=round(time.monotonic() - began, 3),
            threads=self.device.info.get("threads"),
            threads_reason=self.device.threads_reason,
            slots=self.device.slots,
            host=self.device.info,
        )
        if self.door is not None:
            self.door.start()

    def _start_device(self) -> CostTable:
        self._prove()
        cost = measured_cost(self.device, self.cost)
        if not self.settings.slots and self.device.slots > self.device.spec.kind.slots:
            self._choose_slots(cost)
        return cost

    def _choose_slots(self, cost: CostTable) -> None:
        """Keep as many slots as the card has a use for; a host that is started later gets these."""
        shape = (self.device.max_batch, self.bundle.manifest.max_seq_length)
        rates = measure_slots(self.device, cost.estimate(*shape))
        self.device.use_slots(enough_slots(rates))
        log.info(
            "slots measured",
            slots=self.device.slots,
            windows_per_second={count: round(rate, 1) for count, rate in rates.items()},
        )

    def _prove(self) -> None:
        self.device.start()
        check_goldens(self.device, self.encoder)

    async def _drain(self) -> int:
        """Take nothing new, finish what is held, say good-bye. The order is the point."""
        settings = self.settings
        self.notifier.tell("STOPPING=1", f"STATUS={State.DRAINING.value}")
        await self.server.enter_graceful_shutdown()  # balancers look elsewhere ...
        if self.engine.state is State.STARTING:
            return EXIT_OK
        if self.door is not None:
            self.door.give_back()  # other workers can have at once what is not begun
        await first(
            self.hurry, self.failed, timeout_s=settings.drain_delay_s
        )  # ... while we still serve the others
        self.engine.set_state(State.DRAINING)
        self.service.drain()
        await first(self.engine.idle, self.hurry, self.failed, timeout_s=settings.drain_timeout_s)
        if self.failed.is_set():
            return await self._fail()
        finished = self.engine.idle.is_set()
        if not finished:
            self.engine.abandon(Refusal(ErrorCode.UNAVAILABLE, "the worker shut down", retry_after_ms=0))
        self.service.end("the worker shuts down")
        await self.server.stop(STOP_GRACE_S)
        log.info("drained", finished=finished)
        return EXIT_OK if finished else EXIT_CUT_SHORT

    async def _fail(self) -> int:
        self.service.end("the device failed")
        await self.server.stop(STOP_GRACE_S)
        return EXIT_DEVICE_FAILED

    def _on_signal(self, number: int) -> None:
        again = self.stopping.is_set()
        (self.hurry if again else self.stopping).set()
        log.info("told to stop", signal=signal.Signals(number).name, again=again)

    def _on_state(self, state: State) -> None:
        self.engine.metrics.ready.set(state is State.READY)
        self._health = asyncio.ensure_future(self.server.set_serving(state is State.READY))
        if not self.stopping.is_set():
            status = ": ".join(filter(None, (state.value, self.engine.failure)))
            self.notifier.tell(f"STATUS={status}", *(["READY=1"] if state is State.READY else []))
        if state is State.RECOVERING and self.door is not None:
            self.door.give_back_unstarted()
        if state is State.FAILED:
            self.failed.set()

    async def _serve_metrics(self, metrics: Metrics) -> None:
        if self.settings.metrics_listen is None:
            return

        async def page() -> Page:
            return Page(generate_latest(metrics.registry), CONTENT_TYPE_LATEST)

        self.pages = Pages(self.settings.metrics_listen, {"/metrics": page})
        await self.pages.start()


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
