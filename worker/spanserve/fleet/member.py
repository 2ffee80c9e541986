"""One device of the fleet: its worker is kept alive, until it is told to stop or the device is given up.

start -> [starting -> ready <-> recovering, suspect, silent] --death--> waiting --back-off--> starting ...
                      stop: draining -> stopped          too many deaths: given up
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from spanserve.contract.backoff import Backoff
from spanserve.device.cpus import format_cpus
from spanserve.engine.deaths import DeathBudget
from spanserve.engine.waiting import first
from spanserve.fleet.child import Child
from spanserve.fleet.cores import Cores
from spanserve.fleet.metrics_history import History
from spanserve.fleet.pinned_bundle import PinnedBundle
from spanserve.fleet.placements import Placement
from spanserve.fleet.watch import attend, drain, life_s

#: The first pause before a restart is at most this long, no pause is longer than that.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
#: A worker that was ready for so many seconds had no trouble starting: pauses begin at the shortest again.
SETTLED_S = 60.0
#: Exit status of a worker that can never start: settings or bundle.
EXIT_SETTINGS = 2

#: What a member does in addition to what its worker reports (`spanserve.engine.state`).
STARTING, READY, SILENT, DRAINING = "starting", "ready", "silent", "draining"
WAITING, STOPPED, GIVEN_UP = "waiting", "stopped", "given up"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How workers are started and when they are given up; the same for all.

    Attributes:
        arguments: of `spanserve worker`, as given to the supervisor.
        precision: of the variant that they are to serve, as they will read it from their arguments; None: any.
        folder: for sockets.
        watchdog_s: a worker silent for longer hangs, and is killed.
        drain_s: a worker told to stop gets so long before it is killed.
        deaths, period_s: so many deaths within so many seconds, and the device is given up.
    """

    arguments: tuple[str, ...]
    precision: str | None = None
    folder: Path
    watchdog_s: float
    drain_s: float
    deaths: int
    period_s: float


class Member:
    """Keeps one worker alive.

    Args:
        changed: called whenever `state` has changed.
    """

    def __init__(
        self, placement: Placement, cores: Cores, launch: Launch, changed: Callable[[], None]
    ) -> None:
        self.placement = placement
        self.pinned: PinnedBundle | None = None
        self.state = STOPPED
        #: The last thing that went wrong.
        self.reason = ""
        self.starts = 0
        self.deaths = 0
        #: Whether the last worker was killed or left work undone when it was told to stop.
        self.cut_short = False
        #: The exit status of the last worker that ended by itself.
        self.last_status: int | None = None
        self.history = History()
        self.child: Child | None = None
        self._cores = cores
        self._launch = launch
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._trial = False
        self._proven = asyncio.Event()
        self._ready_at: float | None = None
        #: Why the worker is in its state, if it gave a reason.
        self._why = ""
        self._new_budgets()

    @property
    def serving(self) -> bool:
        return self.state == READY

    def start(self, pinned: PinnedBundle, *, trial: bool = False) -> None:
        """Start a worker; one that was given up gets another chance.

        Args:
            trial: until it has been ready once, it is not started again when it dies.
        """
        assert self._task is None or self._task.done(), "one worker at a time: they would share a port"
        self.pinned = pinned
        self._trial = trial
        self.cut_short = False
        self._stop.clear()
        self._proven.clear()
        self._new_budgets()
        self._set(STARTING)
        self._task = asyncio.create_task(self._live())

    async def proven(self, timeout_s: float) -> bool:
        """Whether the worker becomes ready, before it dies and within the time."""
        assert self._task is not None
        await first(self._proven, self._task, timeout_s=timeout_s)
        if not self._proven.is_set() and not self._task.done():
            self.reason = f"not ready within {timeout_s:g} s"
        return self._proven.is_set()

    async def stop(self) -> None:
        """Drain the worker and wait for its end. Does nothing where there is none."""
        self._stop.set()
        if self._task is not None:
            await asyncio.wait({self._task})

    def hurry(self) -> None:
        """Tell a worker that drains to be quick."""
        self._hurry.set()

    def _new_budgets(self) -> None:
        self._backoff = Backoff(LONGEST_PAUSE_S, FIRST_PAUSE_S)
        launch = self._launch
        self._budget = DeathBudget(launch.deaths - 1, launch.period_s, f"the worker of {self.placement.name}")

    async def _live(self) -> None:
        """One worker after the other."""
        while not self._stop.is_set():
            status: int | None = None
            try:
                status = await self._one_life()
                how = _named(status)
            except Exception as error:  # whatever it is, the device is not forgotten
                log.error("worker lost", device=self.placement.name, exc_info=error)
                how = f"{type(error).__name__}: {error}"
            if self._stop.is_set():
                break
            pause_s = self._died(status, how)
            if pause_s is None:
                return
            await first(self._stop, timeout_s=pause_s)
        self._set(STOPPED)

    async def _one_life(self) -> int:
        """Start a worker and attend to it until it has ended. Returns its exit status, as `Child.ended`.

        Raises:
            OSError: it cannot be started.
        """
        assert self.pinned is not None
        self._ready_at, self._why = None, ""
        self.starts += 1
        child = self.child = await Child.start(
            self._arguments(self.pinned),
            folder=self._launch.folder,
            life_s=life_s(self._launch.watchdog_s),
            on_state=self._heard,
        )
        try:
            self._set(STARTING)
            log.info(
                "worker started",
                device=self.placement.name,
                worker_pid=child.pid,
                address=self.placement.address,
                bundle=str(self.pinned.path),
                cpus=format_cpus(self._cores.cpus),
                cpus_reason=self._cores.reason,
            )
            await attend(
                child,
                self.placement.name,
                watchdog_s=self._launch.watchdog_s,
                stop=self._stop,
                on_silence=lambda: self._set(SILENT),
            )
            if not child.ended.done():
                self._set(DRAINING)
                await drain(child, self.placement.name, limit_s=self._launch.drain_s, hurry=self._hurry)
                # One that had sent no message yet had nothing to finish, and no handler for our signal.
                self.cut_short = child.heard and child.ended.result() != 0
        finally:
            await child.close()
            self.child = None
            self.history.retire(child.metrics)
        return child.ended.result()

    def _died(self, status: int | None, how: str) -> float | None:
        """Act on a death. Returns seconds until the next start; None: the device is given up.

        Args:
            status: as of `Child.ended`; None: it was no worker's end, but ours to look after it.
            how: it died.
        """
        now = asyncio.get_running_loop().time()
        self.deaths += 1
        self.last_status = status
        self.reason = f"ended with {how}" + (f": {self._why}" if self._why else "")
        self._budget.charge(now)
        verdict = self._budget.verdict(now)
        if status == EXIT_SETTINGS:
            verdict = "its settings or its bundle cannot be used"
        elif self._trial:
            verdict = "it died before it was ready"
        if verdict:
            self.reason += f"; {verdict}"
            log.error("worker given up", device=self.placement.name, reason=self.reason)
            self._set(GIVEN_UP)
            return None
        if self._ready_at is not None and now - self._ready_at > SETTLED_S:
            self._backoff.reset()
        pause_s = self._backoff.next_s()
        log.error("worker ended", device=self.placement.name, status=how, restart_in_s=pause_s)
        self._set(WAITING)
        return pause_s

    @property
    def digest(self) -> str:
        """Of the model that its worker serves; empty if it can serve none."""
        assert self.pinned is not None
        return self.pinned.digest(self.placement.spec.kind, self._launch.precision)

    def _arguments(self, pinned: PinnedBundle) -> Sequence[str]:
        """The supervisor's own options come last, and so count."""
        return (
            *self._launch.arguments,
            *("--bundle", str(pinned.path)),
            *("--device", self.placement.spec.text),
            *("--listen", self.placement.listen),
            *(("--http", self.placement.http) if self.placement.http else ()),
            *("--cpus", format_cpus(self._cores.cpus)),
            *("--log-device", self.placement.name),
            *("--name", ""),  # every start has a name of its own, whatever the environment says
        )

    def _heard(self, said: str) -> None:
        """The worker reports its state, with every sign of life: STATE, or STATE and why, as `failed: WHY`."""
        if self._stop.is_set():
            return  # what it reports while it drains is known
        state, _, self._why = said.partition(": ")
        if state == READY:
            self._trial = False
            self._proven.set()
            self._ready_at = self._ready_at or asyncio.get_running_loop().time()
        self._set(state)

    def _set(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self._changed()


def _named(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:  # of the numbers, Python names few real-time signals
        return f"signal {-status}"
