"""Monitors one host process: starts it, carries batches to it, and ends it when it hangs."""

from __future__ import annotations

import contextlib
import selectors
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from spanserve.device.errors import BatchFailed, DeviceError, HostDied
from spanserve.device.host.ring import BEGAN, IDLE, RUNNING, STATE, Ring
from spanserve.device.process import HostProcess

#: Seconds without a sign of life after which a host is taken for dead.
SILENCE_TIMEOUT_S = 20.0
#: Seconds between two looks at the clock.
WATCH_INTERVAL_S = 0.25


class RingSlot(Protocol):
    """Where a batch lies in the ring: a slot."""

    @property
    def index(self) -> int:
        """Which of the ring's places."""

    #: Seconds that parts of its last batch took.
    parts: Mapping[str, float]


@dataclass(slots=True, eq=False)
class _Run:
    """A batch that is with the host."""

    slot: RingSlot
    timeout_s: float
    future: Future[float] = field(default_factory=Future)


class HostMonitor:
    """Monitors one host from its start to its end, in a thread of its own.

    Args:
        name: of the device, for messages.
        make: starts the host process; called with a function that takes its output.
        timeout_s: how long the host may take to come up.
        log: called with a sentence and facts about the host's life.
        died: called in this thread when a host that was up has ended untold, after the batches that it held.
    """

    def __init__(
        self,
        name: str,
        ring: Ring,
        make: Callable[[Callable[[str], None]], HostProcess],
        *,
        timeout_s: float,
        log: Callable[..., None],
        died: Callable[[], object],
    ) -> None:
        self._name = name
        self._ring = ring
        self._make = make
        self._start_by = time.monotonic() + timeout_s
        self._log = log
        self._died = died
        self._lock = threading.Lock()
        self._host: HostProcess | None = None
        self._runs: dict[int, _Run] = {}
        self._stopping = False
        #: What the host says about itself once it is up, or why it is not.
        self.ready: Future[dict[str, Any]] = Future()
        #: Why the host is still there though it was killed; empty if it is gone.
        self.stuck = ""
        self._thread = threading.Thread(target=self._monitor, name="device-host-monitor", daemon=True)
        self._thread.start()

    @property
    def host_pid(self) -> int | None:
        """Process id of the host, None while there is none."""
        host = self._host
        return host.pid if host else None

    def stop(self) -> None:
        """End the host; batches with it fail with HostDied."""
        with self._lock:
            self._stopping = True
            host = self._host
        if host is not None:
            host.kill()
        self._thread.join()

    def submit(
        self,
        slot: RingSlot,
        batch: int,
        length: int,
        timeout_s: float,
        how: Mapping[str, int | str] | None = None,
    ) -> Future[float]:
        """Run the batch at a slot; see `Slot.submit`.

        Args:
            how: further parts of the command, see `spanserve.device.host.channel`.
        """
        run = _Run(slot, timeout_s)
        with self._lock:
            host = self._host
            if host is None:
                run.future.set_exception(HostDied("the device host is not running", ran=False))
                return run.future
            self._ring.header(slot.index)[STATE] = IDLE
            self._runs[slot.index] = run
            # If the host has just died, the thread fails this run with the others.
            with contextlib.suppress(OSError):
                host.send({"op": "run", "slot": slot.index, "batch": batch, "length": length, **(how or {})})
        return run.future

    def _monitor(self) -> None:
        try:
            host = self._make(lambda line: self._log("device host says", line=line))
        except Exception as error:  # whoever waits for `ready` must hear of it
            self.ready.set_exception(DeviceError(f"the device host cannot be started: {error}"))
            return
        with self._lock:
            self._host = host
            if self._stopping:  # `stop` came before there was a host to kill
                host.kill()
        try:
            why = self._watch(host)
        except Exception as error:  # no future may be left waiting
            why = f"its messages cannot be understood: {error!r}"
            host.kill()
        self._end(host, why)

    def _end(self, host: HostProcess, why: str) -> None:
        """Say how the host ended, and fail what was with it."""
        with self._lock:
            self._host = None
            runs, self._runs = self._runs, {}
        how = host.finish()
        if how is None:
            self.stuck = f"process {host.pid} cannot be killed: it hangs in the driver of {self._name}"
            self._log("device host stuck", pid=host.pid)
        ended = "; ".join(filter(None, (why, self.stuck))) or how
        last = "; it printed last: " + " | ".join(host.tail) if host.tail else ""
        message = f"device host of {self._name} ended ({ended}){last}"
        if not self._stopping:
            self._log("device host died", reason=ended, batches=len(runs))
        was_up = self.ready.done()
        if not was_up:
            self.ready.set_exception(DeviceError(message))
        for index, run in runs.items():
            run.future.set_exception(HostDied(message, ran=int(self._ring.header(index)[STATE]) == RUNNING))
        if was_up and not self._stopping:
            self._died()

    def _watch(self, host: HostProcess) -> str:
        """Deal with events until the host has ended, or cannot be ended. Returns the reason if it is known."""
        reason = ""
        heard = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for descriptor in (host.events_fd, host.output_fd):
                selector.register(descriptor, selectors.EVENT_READ)
            while True:
                selector.select(WATCH_INTERVAL_S)
                ended = host.ended  # before its last words are read
                if not host.read_output() and host.output_fd in selector.get_map():
                    selector.unregister(host.output_fd)
                events = host.read_events()
                for event in events or ():
                    heard = time.monotonic()
                    reason = self._on_event(event) or reason
                # Processes that it started may hold its pipes open: its own end counts, after its last event.
                if (ended and not events) or events is None or host.lingers:
                    return reason
                overdue = self._overdue(heard)
                if overdue:  # also one that has said why it ends, and does not
                    reason = reason or overdue
                    host.kill()

    def _on_event(self, event: dict[str, Any]) -> str:
        """Handle one event; returns the reason of the end if this is it."""
        op = event["op"]
        if op == "ready":
            self.ready.set_result(event["info"])
        elif op == "fatal":
            return str(event["error"])
        elif op in ("done", "failed"):
            with self._lock:
                run = self._runs.pop(event["slot"])
            if op == "done":
                run.slot.parts = {name: ns / 1e9 for name, ns in event.get("parts", {}).items()}
                run.future.set_result(event["ns"] / 1e9)
            else:
                run.future.set_exception(BatchFailed(event["error"]))
        return ""

    def _overdue(self, heard: float) -> str:
        """What has taken too long, if anything."""
        now = time.monotonic()
        if not self.ready.done():
            return "the model was not loaded in time" if now > self._start_by else ""
        if now - heard > SILENCE_TIMEOUT_S:
            return f"no sign of life for {SILENCE_TIMEOUT_S:g} s"
        with self._lock:
            runs = list(self._runs.items())
        for index, run in runs:
            header = self._ring.header(index)
            if int(header[STATE]) == RUNNING and now - int(header[BEGAN]) / 1e9 > run.timeout_s:
                return f"a batch ran longer than {run.timeout_s:.1f} s"
        return ""
