"""What the Open Inference Protocol costs: its rate over that of our own stream, with batches equally full.

Both ask one worker the same questions, a context each, from a process of their own that keeps as many with the worker:
our client by its credit, the other as calls of a batch of rows, raw contents as tritonclient sends them. On a device
that is the bound itself, and on one that costs nothing. The worker has one processor, client and host the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

from spanserve.client import Client, Task
from spanserve.contract import Question
from spanserve.v1 import worker_pb2 as pb
from tests.benchmarks.setup import DEMO_BUNDLE, interleaved, median
from tests.kit.oip import call, infer_request, qa_tensors
from tests.kit.processes import WorkerProcess
from tests.kit.wire import describe, open_raw

#: Like a passage of SQuAD's dev set, and each another one.
CONTEXT = "Anna Holm said the harbour froze in 1871. " * 17
QUESTION = "When did the harbour freeze, according to what Anna said?"
DEVICES = ("sim:fixed", "sim:fixed?latency_ms=20")
#: Rows of a request, and requests at a time: with them the worker holds as much as it wants to.
ROWS, CALLS = 16, 8


def contexts(count: int) -> list[str]:
    return [f"{CONTEXT} {number}." for number in range(count)]


def ask_own(address: str, count: int) -> float:
    """Seconds for so many questions by our own client."""
    tasks = [
        Task(id=f"t{number}", context=context, questions=(Question("q", QUESTION),))
        for number, context in enumerate(contexts(count))
    ]
    with Client(address) as client:
        began = time.perf_counter()
        answered = sum(result.questions[0].answer is not None for result in client.answer_all(tasks))
        seconds = time.perf_counter() - began
    assert answered == count
    return seconds


async def ask_oip(address: str, count: int) -> float:
    """The same by calls of the protocol."""
    made = contexts(count)
    requests = [
        infer_request("qa", qa_tensors(*((QUESTION, context) for context in made[at : at + ROWS])))
        for at in range(0, count, ROWS)
    ]
    waiting = iter(requests)
    async with open_raw(address) as channel:

        async def ask() -> None:
            for request in waiting:
                response = await call(channel, "ModelInfer", request)
                assert len(response.outputs) == 6

        began = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(CALLS)))
        return time.perf_counter() - began


async def counted(address: str) -> pb.DescribeResponse:
    async with open_raw(address) as channel:
        return await describe(channel)


def measure(device: str, rounds: int, count: int, processors: Sequence[int]) -> None:
    """Ask a worker both ways in turn, and print what came of it."""
    first, other = processors
    with WorkerProcess("--bundle", str(DEMO_BUNDLE), "--device", device) as worker:
        worker.wait_ready()
        process = psutil.Process(worker.pid)
        for thread in process.threads():
            os.sched_setaffinity(thread.id, {first})
        for thread in psutil.Process(worker.host_pid()).threads():
            os.sched_setaffinity(thread.id, {other})
        windows: dict[str, list[float]] = {"own": [], "oip": []}
        cpu_us: dict[str, list[float]] = {"own": [], "oip": []}

        def run(way: str) -> float:
            before, spent = asyncio.run(counted(worker.address)), process.cpu_times()
            command = ["taskset", "--cpu-list", str(other), sys.executable, "-m", "tests.benchmarks.oip"]
            done = subprocess.run(
                [*command, "--ask", way, worker.address, "--questions", str(count)],
                check=True,
                stdout=subprocess.PIPE,
            )
            after, now = asyncio.run(counted(worker.address)), process.cpu_times()
            cpu_us[way].append((now.user + now.system - spent.user - spent.system) / count * 1e6)
            windows[way].append(count / (after.batches - before.batches))
            return count / float(json.loads(done.stdout))

        run("own")  # what is done once: threads, caches
        for found in (windows, cpu_us):
            found["own"].clear()
        rates = interleaved(rounds, own=lambda _: run("own"), oip=lambda _: run("oip"))
    ratio = median([oip / own for oip, own in zip(rates["oip"], rates["own"], strict=True)])
    print(f"Open Inference Protocol, {device}, {ROWS} rows a call, {CALLS} calls at a time, {rounds} rounds:")
    for way, name in (("own", "own stream"), ("oip", "OIP")):
        print(
            f"  {name:10} {median(rates[way]):5.0f} questions/s, {median(windows[way]):4.1f} in a batch, "
            f"{median(cpu_us[way]):4.0f} us of the worker's processor each"
        )
    print(f"  of the rounds' ratios {ratio:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", type=int, default=4000)
    parser.add_argument("--ask", nargs=2, metavar=("WAY", "ADDRESS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask:
        way, address = arguments.ask
        count = arguments.questions
        print(ask_own(address, count) if way == "own" else asyncio.run(ask_oip(address, count)))
        return
    first, *others = sorted(os.sched_getaffinity(0))
    for device in DEVICES:
        measure(device, arguments.rounds, arguments.questions, (first, others[0] if others else first))


if __name__ == "__main__":
    main()
