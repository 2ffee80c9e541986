"""The handle: slots to fill, futures to wait for, and the host that serves them and can be started again."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from spanserve.bundle import Bundle, Manifest, grid_of
from spanserve.device.cpus import CpuShare, cpu_share
from spanserve.device.errors import DeviceError
from spanserve.device.host.ring import Arrays, Ring
from spanserve.device.host_monitor import HostMonitor
from spanserve.device.process import HostProcess
from spanserve.device.spec import DeviceSpec

#: Seconds the first host may take to load the model, and on a card to run every shape of the grid in each lane.
START_TIMEOUT_S = 240.0
#: A later one may take this many times as long as the first, and this many seconds in any case: tasks wait for it.
RESTART_FACTOR = 3.0
RESTART_TIMEOUT_S = 20.0
#: Seconds a batch of `timed` may run.
SINGLE_TIMEOUT_S = 60.0

#: Of linux/memfd.h.
_MFD_CLOEXEC = 1

#: Parts of the manifest that the host reads.
_FOR_THE_HOST = {"precision", "graphs", "max_batch_size", "runtime", "model", "arch", "inputs", "outputs"}

#: Arrays by the names that the manifest gives them.
Tensors = Mapping[str, NDArray[Any]]


@dataclass(slots=True, eq=False)
class Slot:
    """A place for one batch. From `Device.acquire` to `Slot.release` it belongs to the caller."""

    index: int
    _device: Device
    #: Seconds that parts of its last batch took in the host, as far as the device can tell them apart.
    parts: Mapping[str, float] = field(default_factory=dict)

    def arrays(self, batch: int, length: int) -> Arrays:
        """Views for a batch of `batch` windows padded to `length` tokens: fill the inputs, then submit.

        Shapes, [B, S] for most, and dtypes are those that the manifest gives the tensors. The logits in them stay
        valid until `release`.
        """
        return self._device.ring.arrays(self.index, batch, length)

    def inputs(self, batch: int, length: int) -> dict[str, NDArray[Any]]:
        """The inputs of `arrays`."""
        return self.arrays(batch, length).inputs

    def outputs(self, batch: int, length: int) -> dict[str, NDArray[Any]]:
        """Copies of the outputs in `arrays`, which outlive the slot."""
        return {name: area.copy() for name, area in self.arrays(batch, length).outputs.items()}

    def submit(
        self,
        batch: int,
        length: int,
        timeout_s: float,
        lane: int | None = None,
        profile: Path | None = None,
    ) -> Future[float]:
        """Run the batch that was filled in.

        Args:
            timeout_s: longest time the batch may run, counted from its start on the device; then the
                host is killed.
            lane: which of the device's lanes runs it, from 0; None: the first that is free.
            profile: a folder; the batch is run several times, and what the runtime reports about it is written there.

        Returns:
            The seconds it ran, once the logits are in the arrays; or BatchFailed or HostDied.
        """
        how: dict[str, int | str] = {}
        if lane is not None:
            how["lane"] = lane
        if profile is not None:
            how["profile"] = str(profile.resolve())
        return self._device._submit(self, batch, length, timeout_s, how)

    def release(self) -> None:
        """Give the slot back."""
        self._device._release(self)


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
        self._ring_fd = _memory_file("spanserve-ring")
        told = manifest.model_dump(mode="json", include=_FOR_THE_HOST)
        shape = (slots, self.max_batch, manifest.max_seq_length, (told["inputs"], told["outputs"]))
        os.ftruncate(self._ring_fd, Ring.size(*shape))
        self.ring = Ring(mmap.mmap(self._ring_fd, Ring.size(*shape)), *shape)
        share = thread_share(spec)
        self.threads_reason = share.reason
        self._config: dict[str, Any] = {
            "backend": spec.kind.backend,
            "sdk_python": spec.kind.sdk_python,
            "extra": spec.kind.extra,
            "options": {**spec.options, **spec.words},
            "unit": spec.unit,
            "bundle": str(bundle.path.resolve()),
            "manifest": told,
            "threads": share.threads,
            "lanes": slots,
            "slots": slots,
            "batch": self.max_batch,
            "shapes": grid_of(manifest, self.max_batch).shapes,
            "length": manifest.max_seq_length,
        }
        self._lock = threading.Lock()
        self._free = [Slot(index, self) for index in reversed(range(slots))]
        self._monitor: HostMonitor | None = None
        self._closed = False
        self._first_start_s: float | None = None
        #: Facts the host reported when it came up.
        self.info: dict[str, Any] = {}
        #: Times a host was started.
        self.starts = 0
        #: Called in another thread when a host has ended that should not.
        self.on_death: Callable[[], object] = lambda: None

    @property
    def slots(self) -> int:
        """Batches in flight."""
        return int(self._config["lanes"])

    @property
    def lanes(self) -> int:
        """Batches that the host computes at a time, each in a lane of its own."""
        return int(self.info.get("lanes", self.slots))

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
    def closed(self) -> bool:
        """Whether it was given back for good."""
        return self._closed

    @property
    def host_pid(self) -> int | None:
        """Process id of the host, None while there is none."""
        return self._monitor.host_pid if self._monitor else None

    def start(self) -> None:
        """Start a host and wait until it has loaded the model.

        Raises:
            DeviceError: it did not come up, the one before it cannot be ended, or the device was closed.
        """
        self.stop()  # a host that still runs is not trusted any more
        began = time.monotonic()
        timeout_s = START_TIMEOUT_S
        if self._first_start_s is not None:
            timeout_s = max(RESTART_TIMEOUT_S, RESTART_FACTOR * self._first_start_s)
        with self._lock:
            if self._closed:
                raise DeviceError(f"{self.spec.text} was closed")
            if self._monitor is not None and self._monitor.stuck:
                raise DeviceError(self._monitor.stuck)
            monitor = self._monitor = HostMonitor(
                self.spec.text,
                self.ring,
                self._make_host,
                timeout_s=timeout_s,
                log=self._log,
                died=lambda: self.on_death(),
            )
        self.info = monitor.ready.result()
        self._config["settled"] = self.info.get("settled")  # a later host need not find it out again
        self.starts += 1
        if self._first_start_s is None:
            self._first_start_s = time.monotonic() - began

    def stop(self) -> None:
        """End the host; batches in flight fail with HostDied. Does nothing when there is none."""
        with self._lock:
            monitor = self._monitor
        if monitor is not None:
            monitor.stop()

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

    def timed(
        self, inputs: Tensors, *, timeout_s: float = SINGLE_TIMEOUT_S
    ) -> tuple[float, dict[str, NDArray[Any]]]:
        """Run one batch and wait for it.

        Args:
            inputs: every input of the graph, [B, S] or what its shape says.
            timeout_s: longest time it may run; then the host is killed.

        Returns:
            Seconds on the device, and every output.

        Raises:
            DeviceError: the batch failed, the host died, or every slot is in use.
        """
        slot = self.acquire()
        if slot is None:
            raise DeviceError(f"every slot of {self.spec.text} is in use")
        try:
            batch, length = _shape_of(inputs, self.bundle.manifest)
            for name, area in slot.inputs(batch, length).items():
                area[:] = inputs[name]
            seconds = slot.submit(batch, length, timeout_s).result()
            return seconds, slot.outputs(batch, length)
        finally:
            slot.release()

    def compute(self, inputs: Tensors, *, timeout_s: float = SINGLE_TIMEOUT_S) -> dict[str, NDArray[Any]]:
        """`timed` without the time."""
        return self.timed(inputs, timeout_s=timeout_s)[1]

    def _release(self, slot: Slot) -> None:
        with self._lock:
            self._free.append(slot)

    def _submit(
        self, slot: Slot, batch: int, length: int, timeout_s: float, how: Mapping[str, int | str]
    ) -> Future[float]:
        if self._monitor is None:
            raise DeviceError(f"{self.spec.text} was never started")
        return self._monitor.submit(slot, batch, length, timeout_s, how)

    def _make_host(self, on_output: Callable[[str], None]) -> HostProcess:
        return HostProcess(
            self._config,
            self._ring_fd,
            python=self._python,
            environment=self._environment,
            on_output=on_output,
        )


def thread_share(spec: DeviceSpec) -> CpuShare:
    """Threads of this machine's processor that a device may use, and why so many."""
    if "threads" in spec.options:
        return CpuShare(int(spec.options["threads"]), "as given")
    return cpu_share()


def check_fit(manifest: Manifest, spec: DeviceSpec, max_batch: int | None) -> None:
    """Refuse what no host can do.

    Raises:
        DeviceError: the bundle is for another kind of device, or for smaller batches.
    """
    kind = spec.kind
    if kind.targets is not None and not kind.runs(manifest.target):
        raise DeviceError(
            f"bundle {manifest.name!r} was built with --target {manifest.target}; "
            f"{spec.text} needs one built with --target {' or '.join(sorted(kind.targets))}"
        )
    if kind.compiled_batch and max_batch is not None and max_batch > manifest.max_batch_size:
        raise DeviceError(
            f"max_batch_size is {max_batch}: the graph of bundle {manifest.name!r} takes at most "
            f"{manifest.max_batch_size} windows"
        )


def _shape_of(inputs: Tensors, manifest: Manifest) -> tuple[int, int]:
    """Batch and length of a batch, by an input that has both."""
    tensor = next(tensor for tensor in manifest.inputs if {"batch", "length"} <= set(tensor.shape))
    shape = inputs[tensor.name].shape
    return shape[tensor.shape.index("batch")], shape[tensor.shape.index("length")]


def _memory_file(name: str) -> int:
    """A file in memory that is gone with the last process that has it open; returns its descriptor.

    By libc: `os.memfd_create` is missing in Pythons that were built against a glibc older than 2.27, as those that
    uv installed before July 2026 (astral-sh/python-build-standalone, pull request 1164).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.memfd_create(name.encode(), _MFD_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), f"memfd_create: {os.strerror(ctypes.get_errno())}")
    return descriptor
