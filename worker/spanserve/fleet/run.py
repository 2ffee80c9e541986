"""The life of a supervisor: start the fleet, renew it on SIGHUP, drain it on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import structlog

from spanserve.bundle import BundleError
from spanserve.contract.socket_folder import socket_folder
from spanserve.device import read_environment
from spanserve.doors import descriptors
from spanserve.doors.access import Access
from spanserve.doors.http import health
from spanserve.doors.http.health import Health
from spanserve.doors.http.server import pages_server
from spanserve.doors.listener import Listener
from spanserve.engine.waiting import Changes
from spanserve.fleet.cores import divide
from spanserve.fleet.fleet import Fleet
from spanserve.fleet.health import FleetHealth
from spanserve.fleet.member import Launch
from spanserve.fleet.pinned_bundle import PinnedBundle, read_pinned
from spanserve.fleet.placements import Placement
from spanserve.fleet.ports import reserve
from spanserve.fleet.rollout import roll_out
from spanserve.worker.notify import Notifier
from spanserve.worker.settings import Settings

#: Bytes of the name of a socket: `NUMBER.metrics`.
LONGEST_SOCKET = 20
#: Seconds a worker gets to end beyond what it gives its tasks: replies on their way, its device host.
DRAIN_SLACK_S = 20.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """How a supervisor runs.

    Attributes:
        bundle: a bundle, or a symbolic link that leads to one.
        arguments: of `spanserve worker`, for every worker.
        worker: what those arguments and the environment make of a worker, for what the supervisor does as its
            workers do: TLS, times to drain, who is notified.
        pages: where the metrics and health pages are; None: nowhere.
        health: where the fleet's gRPC health is; None: nowhere.
        deaths, period_s: so many deaths of a worker within so many seconds, and its device is given up.
        watchdog_s: a worker that is silent for longer is killed.
        ready_timeout_s: a worker on a new bundle gets so long to be ready.
    """

    bundle: Path
    placements: tuple[Placement, ...]
    arguments: tuple[str, ...]
    worker: Settings
    pages: Listener | None
    health: Listener | None
    deaths: int
    period_s: float
    watchdog_s: float
    ready_timeout_s: float


def run_fleet(settings: FleetSettings) -> int:
    """Supervise until told to stop, or until no worker is left. Returns the exit status.

    Raises:
        SpanserveError: it could not start.
    """
    descriptors.raise_limit()
    pinned = read_pinned(settings.bundle)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(socket_folder("spanserve-up-", LONGEST_SOCKET))
        reserve((address for placement in settings.placements for address in placement.addresses), stack)
        return asyncio.run(_Supervisor(settings, pinned, folder).run())


def _alive() -> Health:
    return Health(good=True, details={"status": "ok"})


class _Supervisor:
    def __init__(self, settings: FleetSettings, pinned: PinnedBundle, folder: Path) -> None:
        worker = settings.worker
        self.settings = settings
        #: What all workers serve, or served before the rollout that runs.
        self.pinned = pinned
        hosts = read_environment(worker.device_env) if worker.device_env else {}
        cores = divide(
            settings.placements, allowed=os.sched_getaffinity(0), environment={**os.environ, **hosts}
        )
        launch = Launch(
            arguments=settings.arguments,
            precision=worker.precision,
            folder=folder,
            watchdog_s=settings.watchdog_s,
            drain_s=worker.grpc.drain_delay_s + worker.drain_timeout_s + DRAIN_SLACK_S,
            deaths=settings.deaths,
            period_s=settings.period_s,
        )
        self.changes = Changes()
        self.stopping = asyncio.Event()
        self.renew = asyncio.Event()
        self.fleet = Fleet(settings.placements, cores, launch, self.changes.tell)
        self.notifier = Notifier(worker.notify_socket, worker.watchdog_usec)
        self.access = Access(worker.access)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop, number)
        loop.add_signal_handler(signal.SIGHUP, self.renew.set)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self.notifier.close)
            if self.settings.pages:
                pages = [
                    health.metrics(self.fleet.exposition),
                    health.probe("/livez", _alive, "Whether the supervisor is alive"),
                    health.probe("/healthz", _alive, "The same"),
                    health.probe("/readyz", self.fleet.ready, "What the workers are doing"),
                ]
                server = pages_server(
                    self.settings.pages, self.access, pages, self.settings.worker.http.hosts
                )
                await server.start()
                stack.push_async_callback(server.close)
            serving = FleetHealth(self.settings.health, self.access) if self.settings.health else None
            if serving is not None:
                await serving.start()
                stack.push_async_callback(serving.close)
            background = [
                asyncio.create_task(self._tell(serving)),
                asyncio.create_task(self.notifier.keep_alive()),
                asyncio.create_task(self.access.watch()),
            ]
            self.fleet.start(self.pinned)
            rolling = asyncio.create_task(self._renew_when_told())
            await self.stopping.wait()
            # A rollout that is cut off here leaves workers on both bundles; all of them end now.
            rolling.cancel()
            await asyncio.gather(rolling, return_exceptions=True)
            await self.fleet.drain()
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
        status = self.fleet.exit_status()
        log.info("fleet ended", status=status)
        return status

    def _on_stop(self, number: int) -> None:
        again = self.stopping.is_set()
        log.info("told to stop", signal=signal.Signals(number).name, again=again)
        if again:
            self.fleet.hurry()
        else:
            self.notifier.tell("STOPPING=1", "STATUS=draining")
            self.stopping.set()

    async def _tell(self, health: FleetHealth | None) -> None:
        """Keep health and pages up to date; stop once no worker will ever serve."""
        total = len(self.fleet.members)
        before = -1
        while True:
            changed = self.changes.next
            serving = self.fleet.serving
            if serving != before:
                before = serving
                log.info("fleet", serving=serving, of=total)
            if health is not None:
                await health.set_serving(serving > 0)
            if not self.stopping.is_set():
                ready = ["READY=1"] if serving else []
                self.notifier.tell(f"STATUS={serving} of {total} workers serve", *ready)
                if self.fleet.given_up and self.fleet.rollout.state != "running":
                    log.error("no worker is left")
                    self.stopping.set()
            await changed.wait()

    async def _renew_when_told(self) -> None:
        """A rollout for each SIGHUP; those that come during one are one more."""
        while True:
            await self.renew.wait()
            self.renew.clear()
            status = self.fleet.rollout
            try:
                pinned = await asyncio.to_thread(read_pinned, self.settings.bundle)
            except (BundleError, OSError) as error:
                status.fail(str(self.settings.bundle), str(error))
                continue
            if pinned.path == self.pinned.path and pinned.manifest != self.pinned.manifest:
                status.fail(
                    str(pinned.path),
                    "the bundle was overwritten in place, so there is no way back: give --bundle a symbolic "
                    "link and switch it, or start anew",
                )
                continue
            whole = await roll_out(
                pinned,
                self.fleet.members,
                status,
                ready_timeout_s=self.settings.ready_timeout_s,
                changes=self.changes,
                newer=self.renew,
            )
            if whole:
                self.pinned = pinned
