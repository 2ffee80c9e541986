"""Questions per second through one worker on one core, text in and spans out, if the device costs nothing.

The worker is pinned to one processor, its device host and the client to another. It answers the data set twice: the
first time every word of it is new to the worker.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import psutil

from tests.benchmarks.setup import DEMO_BUNDLE, evaluate, interleaved, median, squad_file
from tests.kit.processes import WorkerProcess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-batch-size", type=int, default=64)
    arguments = parser.parse_args()
    first, *others = sorted(os.sched_getaffinity(0))
    other = others[0] if others else first
    first_us: list[float] = []
    second_us: list[float] = []
    with tempfile.TemporaryDirectory() as name:

        def run(number: int) -> float:
            settings = ("--device", "sim:fixed", "--max-batch-size", str(arguments.max_batch_size))
            with WorkerProcess("--bundle", str(DEMO_BUNDLE), *settings) as worker:
                worker.wait_ready()
                for thread in psutil.Process(worker.pid).threads():
                    os.sched_setaffinity(thread.id, {first})
                for thread in psutil.Process(worker.host_pid()).threads():
                    os.sched_setaffinity(thread.id, {other})
                pin = ("taskset", "--cpu-list", str(other))
                for pass_us in (first_us, second_us):
                    before = psutil.Process(worker.pid).cpu_times()
                    result = evaluate(
                        worker, squad_file(), Path(name) / f"out-{number}-{pass_us is second_us}", pin
                    )
                    after = psutil.Process(worker.pid).cpu_times()
                    spent = after.user + after.system - before.user - before.system
                    pass_us.append(spent / result["total"] * 1e6)
                return float(result["questions_per_second"])

        rates = interleaved(arguments.rounds, worker=run)["worker"]
    print(f"host path, median of {arguments.rounds}: {median(rates):.0f} questions/s through one core")
    print(
        f"  processor time of the worker {median(first_us):.0f} us per question, {median(second_us):.0f} when all"
        " words are known"
    )


if __name__ == "__main__":
    main()
