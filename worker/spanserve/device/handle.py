"""The handle: slots to fill, futures to wait for, and a watchdog over the host process."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import selectors
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spanserve.bundle import Bundle, Manifest, grid_of
from spanserve.device.cpus import cpu_share
from spanserve.device.errors import BatchFailed, DeviceError, HostDied
from spanserve.device.host.ring import BEGAN, IDLE, RUNNING, STATE, Arrays, Ring
from spanserve.device.process import HostProcess
from spanserve.device.spec import DeviceSpec

#: Seconds the host may take to load the model.
START_TIMEOUT_S = 120.0
#: Seconds without a sign of life after which a host is taken for dead.
SILENCE_TIMEOUT_S = 20.0
#: Seconds a batch of `timed` may run.
SINGLE_TIMEOUT_S = 60.0
#: Seconds between two looks at the clock.
WATCH_INTERVAL_S = 0.25

#: Parts of the manifest that the host reads.
_FOR_THE_HOST = {
    "precision",
    "graphs",
    "max_seq_length",
    "max_batch_size",
    "runtime",
    "model",
    "magicmind",
}

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(slots=True, eq=False)
class Slot:
    """A place for one batch. From `Device.acquire` to `Slot.release` it belongs to the caller."""

    index: int
    _device: Device
    #: Seconds that parts of its last batch took in the host, as far as the device can tell them apart.
    parts: Mapping[str, float] = field(default_factory=dict)

    def arrays(self, batch: int, length: int) -> Arrays:
        """Views for a batch of `batch` windows padded to `length` tokens: fill the inputs, then submit.

        The logits in them stay valid until `release`.
        """
        return self._device.ring.arrays(self.index, batch, length)

    def submit(self, batch: int, length: int, timeout_s: float) -> Future[float]:
        """Run the batch that was filled in.

        Args:
            timeout_s: longest time the batch may run, counted from its start on the device; then the
                host is killed.

        Returns:
            The seconds it ran, once the logits are in the arrays; or BatchFailed or HostDied.
        """
        return self._device._submit(self, batch, length, timeout_s)

    def release(self) -> None:
        """Give the slot back."""
        self._device._release(self)


@dataclass(slots=True, eq=False)
class _Run:
    """A batch that is with the host."""

    slot: Slot
    timeout_s: float
    future: Future[float] = field(default_factory=Future)


class Device:
    """One device, served by one host process at a time. Thread-safe.

    `start` may be called again after the host has died; the slots stay the same.

    Args:
        bundle: what to serve.
        spec: on which device.
        slots: batches in flight; two keep a card busy while the worker decodes and fills.
        max_batch: largest batch; None for the bundle's.
        python: interpreter that runs the host, see `DeviceSpec.interpreter`; None for this one.
        environment: variables for the host alone, such as the SDK's library paths.
        log: called with a sentence and facts about the host's life.

    Raises:
        DeviceError: the bundle is not for this kind of device.
    """

    def __init__(
        self,
        bundle: Bundle,
        spec: DeviceSpec,
        *,
        slots: int = 2,
        max_batch: int | None = None,
        python: str | None = None,
        environment: Mapping[str, str] | None = None,
        log: Callable[..., None] = lambda event, **facts: None,
    ) -> None:
        manifest = bundle.manifest
        check_fit(manifest, spec, max_batch)
        self.bundle = bundle
        self.spec = spec
        self.max_batch = max_batch or manifest.max_batch_size
        self._python = python or sys.executable
        self._environment = dict(environment or {})
        self._log = log
        self._ring_fd = os.memfd_create("spanserve-ring", os.MFD_CLOEXEC)
        size = Ring.size(slots, self.max_batch, manifest.max_seq_length)
        os.ftruncate(self._ring_fd, size)
        self.ring = Ring(mmap.mmap(self._ring_fd, size), slots, self.max_batch, manifest.max_seq_length)
        share = cpu_share()
        threads = int(spec.options.get("threads", share.threads))
        self.threads_reason = "as given" if "threads" in spec.options else share.reason
        self._config: dict[str, Any] = {
            "backend": spec.backend,
            "options": spec.options,
            "index": spec.index,
            "card": spec.card,
            "bundle": str(bundle.path.resolve()),
            "manifest": json.loads(manifest.model_dump_json(include=_FOR_THE_HOST)),
            "threads": threads,
            "lanes": slots,
            "slots": slots,
            "batch": self.max_batch,
            "shapes": grid_of(manifest, self.max_batch).shapes,
            "length": manifest.max_seq_length,
        }
        self._lock = threading.Lock()
        self._free = [Slot(index, self) for index in reversed(range(slots))]
        self._runs: dict[int, _Run] = {}
        self._host: HostProcess | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._closed = False
        #: Facts the host reported when it came up.
        self.info: dict[str, Any] = {}
        #: Times a host was started.
        self.starts = 0

    @property
    def slots(self) -> int:
        """Batches in flight."""
        return int(self._config["lanes"])

    def use_slots(self, count: int) -> None:
        """Have so many slots from now on, at most as many as it was made with; none may be in use.

        The host that runs keeps its lanes; the next one has as many as there are slots.
        """
        assert 1 <= count <= self.ring.slots, f"made with {self.ring.slots} slots, not {count}"
        with self._lock:
            assert len(self._free) == self.slots, "no slot is in use"
            self._free = [Slot(index, self) for index in reversed(range(count))]
            self._config["lanes"] = count

    @property
    def host_pid(self) -> int | None:
        """Process id of the host, None while there is none."""
        host = self._host
        return host.pid if host else None

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start a host and wait until it has loaded the model.

        Raises:
            DeviceError: it did not come up, or the device was closed.
        """
        self.stop()  # a host that still runs is not trusted any more
        ready: Future[dict[str, Any]] = Future()
        thread = threading.Thread(
            target=self._attend, args=(ready, timeout_s), name="device-handle", daemon=True
        )
        with self._lock:
            if self._closed:
                raise DeviceError(f"{self.spec.text} was closed")
            self._stopping = False
            thread.start()
            self._thread = thread
        self.info = ready.result()
        self.starts += 1

    def stop(self) -> None:
        """End the host; batches in flight fail with HostDied. Does nothing when there is none."""
        with self._lock:
            self._stopping = True
            host, thread = self._host, self._thread
        if host is not None:
            host.kill()
        if thread is not None:
            thread.join()

    def close(self) -> None:
        """Stop for good, a start that is under way included; give the shared memory back."""
        with self._lock:
            self._closed = True
        self.stop()
        if self._ring_fd >= 0:
            os.close(self._ring_fd)
            self._ring_fd = -1

    def acquire(self) -> Slot | None:
        """A free slot, or None."""
        with self._lock:
            return self._free.pop() if self._free else None

    def timed(self, ids: Ints, mask: Ints, types: Ints) -> tuple[float, Floats, Floats]:
        """Run one batch and wait for it.

        Args:
            ids, mask, types: int32 [B, S].

        Returns:
            Seconds on the device; start and end logits, float32 [B, S].

        Raises:
            DeviceError: the batch failed, the host died, or every slot is in use.
        """
        slot = self.acquire()
        if slot is None:
            raise DeviceError(f"every slot of {self.spec.text} is in use")
        try:
            batch, length = ids.shape
            arrays = slot.arrays(batch, length)
            arrays.ids[:], arrays.mask[:], arrays.types[:] = ids, mask, types
            seconds = slot.submit(batch, length, SINGLE_TIMEOUT_S).result()
            return seconds, arrays.start.copy(), arrays.end.copy()
        finally:
            slot.release()

    def compute(self, ids: Ints, mask: Ints, types: Ints) -> tuple[Floats, Floats]:
        """`timed` without the time."""
        return self.timed(ids, mask, types)[1:]

    def _release(self, slot: Slot) -> None:
        with self._lock:
            assert slot.index not in self._runs, "a slot is released after its batch has ended"
            self._free.append(slot)

    def _submit(self, slot: Slot, batch: int, length: int, timeout_s: float) -> Future[float]:
        run = _Run(slot, timeout_s)
        with self._lock:
            host = self._host
            if host is None:
                run.future.set_exception(HostDied("the device host is not running", ran=False))
                return run.future
            self.ring.header(slot.index)[STATE] = IDLE
            self._runs[slot.index] = run
            # If the host has just died, its thread fails this run with the others.
            with contextlib.suppress(OSError):
                host.send({"op": "run", "slot": slot.index, "batch": batch, "length": length})
        return run.future

    # The rest runs in the handle's own thread, which lives exactly as long as one host.

    def _attend(self, ready: Future[dict[str, Any]], timeout_s: float) -> None:
        try:
            host = HostProcess(
                self._config,
                self._ring_fd,
                python=self._python,
                environment=self._environment,
                on_output=lambda line: self._log("device host says", line=line),
            )
        except OSError as error:
            ready.set_exception(DeviceError(f"the device host cannot be started: {error}"))
            return
        with self._lock:
            self._host = host
            if self._stopping:  # `stop` came before there was a host to kill
                host.kill()
        try:
            why = self._watch(host, ready, time.monotonic() + timeout_s)
        except Exception as error:  # nobody may be left waiting for a future
            why = f"its messages make no sense: {error!r}"
            host.kill()
        with self._lock:
            self._host = None
            runs, self._runs = self._runs, {}
        how = host.finish()
        last = "; it printed last: " + " | ".join(host.tail) if host.tail else ""
        message = f"device host of {self.spec.text} ended ({why or how}){last}"
        if not self._stopping:
            self._log("device host died", reason=why or how, batches=len(runs))
        if not ready.done():
            ready.set_exception(DeviceError(message))
        for index, run in runs.items():
            run.future.set_exception(HostDied(message, ran=int(self.ring.header(index)[STATE]) == RUNNING))

    def _watch(self, host: HostProcess, ready: Future[dict[str, Any]], start_by: float) -> str:
        """Deal with events until the host closes its pipe. Returns the reason if it is known."""
        reason = ""
        heard = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(host.events_fd, selectors.EVENT_READ)
            selector.register(host.output_fd, selectors.EVENT_READ)
            while True:
                selector.select(WATCH_INTERVAL_S)
                if not host.read_output() and host.output_fd in selector.get_map():
                    selector.unregister(host.output_fd)
                events = host.read_events()
                if events is None:
                    return reason
                for event in events:
                    heard = time.monotonic()
                    reason = self._on_event(event, ready) or reason
                overdue = self._overdue(heard, start_by if not ready.done() else None)
                if overdue:  # also one that has said why it ends, and does not
                    reason = reason or overdue
                    host.kill()

    def _on_event(self, event: dict[str, Any], ready: Future[dict[str, Any]]) -> str:
        """Handle one event; returns the reason of the end if this is it."""
        op = event["op"]
        if op == "ready":
            ready.set_result(event["info"])
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

    def _overdue(self, heard: float, start_by: float | None) -> str:
        """What has taken too long, if anything."""
        now = time.monotonic()
        if start_by is not None:
            return "the model was not loaded in time" if now > start_by else ""
        if now - heard > SILENCE_TIMEOUT_S:
            return f"no sign of life for {SILENCE_TIMEOUT_S:g} s"
        with self._lock:
            runs = list(self._runs.items())
        for index, run in runs:
            header = self.ring.header(index)
            if int(header[STATE]) == RUNNING and now - int(header[BEGAN]) / 1e9 > run.timeout_s:
                return f"a batch ran longer than {run.timeout_s:.1f} s"
        return ""


def check_fit(manifest: Manifest, spec: DeviceSpec, max_batch: int | None) -> None:
    """Refuse what no host could do. A simulated device takes every bundle.

    Raises:
        DeviceError: the bundle is for another kind of device, or for smaller batches.
    """
    needed = {"cpu": "cpu", "mlu": "magicmind"}.get(spec.backend, manifest.target)
    if manifest.target != needed:
        raise DeviceError(
            f"bundle {manifest.name!r} was built with --target {manifest.target}; "
            f"{spec.text} needs one built with --target {needed}"
        )
    if spec.backend == "mlu" and max_batch is not None and max_batch > manifest.max_batch_size:
        raise DeviceError(
            f"max_batch_size is {max_batch}: the graph of bundle {manifest.name!r} takes at most "
            f"{manifest.max_batch_size} windows"
        )
