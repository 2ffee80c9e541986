"""Which part of the bare device's rate reaches the client.

Bare: the same windows, batched by length as well as can be, two batches in flight, nothing else done.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path

from spanserve.bundle import Bundle
from spanserve.contract import Options
from spanserve.device import Device, DeviceSpec, Slot
from spanserve.qa import Encoder, fill
from spanserve.squad import load_dataset
from tests.benchmarks.setup import DEMO_BUNDLE, evaluate, interleaved, median, sample, squad_file
from tests.kit.processes import WorkerProcess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bundle", type=Path, default=DEMO_BUNDLE)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        dataset = sample(squad_file(), arguments.passages, Path(name) / "sample.json")

        def worker(number: int) -> float:
            with WorkerProcess("--bundle", str(arguments.bundle)) as process:
                process.wait_ready()
                evaluate(process, dataset, Path(name) / f"warm-{number}")  # prepares every shape, as below
                result = evaluate(process, dataset, Path(name) / f"out-{number}")
                return float(result["questions_per_second"])

        rates = interleaved(
            arguments.rounds, device=lambda number: bare_rate(arguments.bundle, dataset), worker=worker
        )
        device, answered = median(rates["device"]), median(rates["worker"])
        print(f"questions/s, medians of {arguments.rounds}: bare device {device:.1f}, worker {answered:.1f}")
        print(f"  answered / device-only rate {answered / device:.3f}")


def bare_rate(path: Path, dataset: Path) -> float:
    """Questions per second if only the device worked."""
    bundle = Bundle.open(path)
    manifest = bundle.manifest
    encoder = Encoder.of(bundle)
    tasks, _ = load_dataset(dataset).tasks("", Options())
    encoded = [encoder.encode(task) for task in tasks]
    windows = [window for task in encoded for question in task.questions for window in question.windows]
    windows.sort(key=lambda window: window.tokens, reverse=True)
    device = Device(bundle, DeviceSpec.parse("cpu"))
    device.start()
    try:
        size = device.max_batch
        for timed in (False, True):  # the first round prepares every shape
            began = time.perf_counter()
            flying: deque[tuple[Slot, Future[float]]] = deque()
            for first in range(0, len(windows), size):
                rows = windows[first : first + size]
                slot = device.acquire()
                if slot is None:
                    slot, future = flying.popleft()
                    future.result()
                length = manifest.padded_length(rows[0].tokens)
                fill(rows, slot.arrays(len(rows), length).inputs, encoder.template)
                flying.append((slot, slot.submit(len(rows), length, 60.0)))
            while flying:
                slot, future = flying.popleft()
                future.result()
                slot.release()
            if timed:
                return sum(len(task.questions) for task in tasks) / (time.perf_counter() - began)
    finally:
        device.close()
    raise AssertionError("the second round is timed")


if __name__ == "__main__":
    main()
