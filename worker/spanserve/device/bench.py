"""How fast is a device by itself? Counted and timed as `mm_run`, the SDK's own benchmark, does.

Throughput is windows per second of wall time, several batches in flight. The inputs are valid token ids:
ids outside the vocabulary would be read outside a card's memory.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spanserve.bundle import Manifest
from spanserve.bundle.manifest import ATTENTION_MASK, INPUT_IDS
from spanserve.device.errors import DeviceError
from spanserve.device.handle import Device, Slot

#: Defaults of mm_run: a warm-up, then at least so long and at least so many batches.
WARMUP_S, DURATION_S, ITERATIONS = 0.2, 3.0, 100
#: Seconds a batch may run.
_TIMEOUT_S = 60.0
#: Seconds that profiling a batch may take: on a card all tensors of all layers are written.
_PROFILE_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """What a list of times, in seconds, looks like."""

    min: float
    max: float
    mean: float
    median: float
    p90: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latencies:
        """Summarise at least one time."""
        median, p90, p95, p99 = (float(value) for value in np.percentile(seconds, (50, 90, 95, 99)))
        mean = float(np.mean(seconds))
        return cls(min=min(seconds), max=max(seconds), mean=mean, median=median, p90=p90, p95=p95, p99=p99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One shape on one device."""

    batch: int
    length: int
    #: Batches run, and the seconds from the first one's submission to the last one's end.
    iterations: int
    wall_s: float
    #: In the host, from taking a batch to its logits: copies to and from a card are in it.
    device: Latencies
    #: From submitting a batch to its end, waiting for the others included.
    round_trip: Latencies
    #: Writing the inputs into shared memory, and reading the logits out of it.
    copy_in: Latencies
    copy_out: Latencies
    #: Parts of `device`, where the device can tell them apart.
    parts: Mapping[str, Latencies]

    @property
    def throughput(self) -> float:
        """Windows per second; mm_run calls it qps."""
        return self.iterations * self.batch / self.wall_s


@dataclass(slots=True)
class _Times:
    device: list[float] = field(default_factory=list)
    round_trip: list[float] = field(default_factory=list)
    copy_in: list[float] = field(default_factory=list)
    copy_out: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=dict)


def time_shape(device: Device, batch: int, length: int) -> float:
    """Seconds on the device of one batch of a shape, every token the same, with nothing else in flight.

    Raises:
        DeviceError: the device failed.
    """
    ids = np.full((batch, length), device.bundle.manifest.tokenizer.cls_id)
    return device.timed(_inputs(device.bundle.manifest, ids))[0]


def measure_device(
    device: Device,
    batch: int,
    length: int,
    *,
    warmup_s: float = WARMUP_S,
    duration_s: float = DURATION_S,
    iterations: int = ITERATIONS,
    token_id: int | None = None,
) -> Measured:
    """Run batches of one shape, every slot of the device in flight.

    Args:
        device: started, with no slot in use.
        warmup_s: seconds of batches that are not counted; at least one is run.
        duration_s, iterations: both are met before it ends.
        token_id: every token; None for random ones of the vocabulary.

    Raises:
        DeviceError: the shape does not fit, or the device failed.
    """
    manifest = device.bundle.manifest
    if not (0 < batch <= device.max_batch and 0 < length <= manifest.max_seq_length):
        raise DeviceError(
            f"batch {batch} x {length} does not fit bundle {manifest.name!r}: "
            f"at most {device.max_batch} x {manifest.max_seq_length}"
        )
    known = (0, manifest.model.vocab_size) if token_id is None else (token_id, token_id + 1)
    inputs = _random_inputs(manifest, batch, length, known)
    _pump(device, inputs, (batch, length), warmup_s, 1, _Times())
    times = _Times()
    wall_s = _pump(device, inputs, (batch, length), duration_s, iterations, times)
    return Measured(
        batch=batch,
        length=length,
        iterations=len(times.device),
        wall_s=wall_s,
        device=Latencies.of(times.device),
        round_trip=Latencies.of(times.round_trip),
        copy_in=Latencies.of(times.copy_in),
        copy_out=Latencies.of(times.copy_out),
        parts={name: Latencies.of(seconds) for name, seconds in times.parts.items()},
    )


def profile_shape(device: Device, batch: int, length: int, folder: Path) -> list[Path]:
    """Have the device's runtime write what it reports about a batch of random ids, layer by layer.

    Args:
        device: started, with no slot in use.
        folder: made here.

    Returns:
        The files, in order.

    Raises:
        DeviceError: the folder is there already or cannot be made, or the device has no profiler, or failed.
    """
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise DeviceError(f"profile {folder}: {error.strerror}") from None
    manifest, slot = device.bundle.manifest, device.acquire()
    assert slot is not None, "no slot is in use"
    try:
        inputs = _random_inputs(manifest, batch, length, (0, manifest.model.vocab_size))
        for name, area in slot.inputs(batch, length).items():
            area[:] = inputs[name]
        slot.submit(batch, length, _PROFILE_TIMEOUT_S, profile=folder).result()
    finally:
        slot.release()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise DeviceError(f"profile {folder}: the runtime wrote nothing there")
    return files


def _random_inputs(
    manifest: Manifest, batch: int, length: int, known: tuple[int, int]
) -> dict[str, NDArray[Any]]:
    """A batch of random ids, always the same ones, from the first of `known` to before the second."""
    return _inputs(manifest, np.random.default_rng(0).integers(*known, (batch, length)))


def _inputs(manifest: Manifest, ids: NDArray[np.integer[Any]]) -> dict[str, NDArray[Any]]:
    """A batch of whole windows with these token ids, [B, S], for every input of the graph; what it is not: 0."""
    values: dict[str, Any] = {INPUT_IDS: ids, ATTENTION_MASK: 1}
    sizes = dict(zip(("batch", "length"), ids.shape, strict=True))
    found = {}
    for tensor in manifest.inputs:
        shape = [size if isinstance(size, int) else sizes[size] for size in tensor.shape]
        found[tensor.name] = np.full(shape, values.get(tensor.name, 0), tensor.dtype)
    return found


def _pump(
    device: Device,
    inputs: Mapping[str, NDArray[Any]],
    shape: tuple[int, int],
    duration_s: float,
    iterations: int,
    times: _Times,
) -> float:
    """Keep the device busy. Returns the seconds it took until nothing was in flight any more."""
    batch, length = shape
    flying: deque[tuple[Slot, Future[float], float]] = deque()
    began = time.perf_counter()
    try:
        while True:
            enough = len(times.copy_in) >= iterations and time.perf_counter() - began >= duration_s
            slot = None if enough else device.acquire()
            if slot is not None:
                before = time.perf_counter()
                for name, area in slot.inputs(batch, length).items():
                    area[:] = inputs[name]
                now = time.perf_counter()
                times.copy_in.append(now - before)
                flying.append((slot, slot.submit(batch, length, _TIMEOUT_S), now))
            elif flying:
                _land(*flying.popleft(), shape, times)
            else:
                return time.perf_counter() - began
    finally:
        for slot, future, _ in flying:  # after a batch that failed
            wait((future,))
            slot.release()


def _land(slot: Slot, future: Future[float], submitted: float, shape: tuple[int, int], times: _Times) -> None:
    """Wait for a batch and give its slot back."""
    try:
        times.device.append(future.result())
        ended = time.perf_counter()
        times.round_trip.append(ended - submitted)
        for name, seconds in slot.parts.items():
            times.parts.setdefault(name, []).append(seconds)
        slot.outputs(*shape)
        times.copy_out.append(time.perf_counter() - ended)
    finally:
        slot.release()
