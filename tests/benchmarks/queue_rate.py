"""What the queue in Redis costs: the queue layer alone, a whole run against the gRPC door, and a takeover.

Queue layer: one process submits tasks, then claims and ends them, without features and without a device; the server has
the other core. Doors: one evaluation through one worker, over gRPC and over Redis in turn. Takeover: from the SIGKILL
of a worker to the moment when another has leased all that it held, in leases.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from spanserve.contract import Question, Task
from spanserve.queue import (
    Consumer,
    End,
    JobState,
    Keys,
    Lease,
    Producer,
    QueueConfig,
    RedisSettings,
    pending,
    provision,
)
from tests.benchmarks.setup import DEMO_BUNDLE, interleaved, median, squad_file
from tests.kit.processes import WorkerProcess
from tests.kit.redis_server import RedisServer
from tests.kit.scripted_worker import answers
from tests.kit.waiting import eventually

#: Like a passage of the dev set: 735 characters and 5 questions of 60.
CONTEXT = "Anna Holm said the harbour froze in 1871. " * 18
QUESTION = "When did the harbour freeze, according to what Anna said at last?"
AT_ONCE = 64
#: A device that costs nothing, so that processors are the bound, and one that is the bound itself.
DEVICES = ("sim:fixed", "sim:fixed?latency_ms=20")
LEASE_S = 2.0


def made(count: int, run: str) -> list[Task]:
    questions = tuple(Question(str(number), QUESTION) for number in range(5))
    return [Task(id=f"t{n}", run_id=run, context=CONTEXT, questions=questions) for n in range(count)]


async def layer(url: str, tasks: Sequence[Task]) -> tuple[float, float]:
    """Tasks per second submitted, and claimed and ended."""
    redis = RedisSettings(url=url).connect()
    keys = Keys("rate")
    await provision(redis, keys, QueueConfig(max_tasks=10 * len(tasks)))
    producer, consumer = Producer(redis, keys), Consumer(redis, keys, "c")
    began = time.perf_counter()
    for first in range(0, len(tasks), AT_ONCE):
        await producer.submit(tasks[first : first + AT_ONCE])
    submitted = time.perf_counter()
    blob = answers(tasks[0]).to_bytes()
    left = len(tasks)
    while left:
        claimed = await consumer.claim(AT_ONCE, AT_ONCE)
        for entry in claimed.entries:
            entry.task()
        leases = [Lease(entry.number, entry.id, entry.job) for entry in claimed.entries]
        await consumer.end([End(lease, JobState.DONE, blob) for lease in leases])
        left -= len(leases)
    ended = time.perf_counter()
    await redis.aclose()
    return len(tasks) / (submitted - began), len(tasks) / (ended - submitted)


def evaluate(folder: Path, *way: str) -> float:
    """Questions per second of an evaluation of the dev set."""
    command = [sys.executable, "-m", "spanserve", "eval", str(squad_file()), *way, "--json"]
    done = subprocess.run(
        [*command, "-o", str(folder)], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return float(json.loads(done.stdout)["questions_per_second"])


async def takeover(url: str) -> float:
    """Leases from the SIGKILL of a worker to the takeover of the last task it held."""
    redis = RedisSettings(url=url).connect()
    # A queue of its own: what a round before has left would be taken over as well.
    keys = Keys(f"takeover-{secrets.token_hex(4)}")
    to = ("--bundle", str(DEMO_BUNDLE), "--redis", url, "--queue", keys.name, "--lease", str(LEASE_S))
    tasks = made(8, secrets.token_hex(4))

    async def holds(consumer: str, count: int) -> bool:
        held = await pending(redis, keys, 100)
        return count == sum(entry.consumer == consumer for entry in held)

    async def until(consumer: str, count: int) -> float:
        """When a worker came to hold so many."""
        await eventually(lambda: holds(consumer, count))
        return time.perf_counter()

    with WorkerProcess(*to, "--device", "sim:fixed?latency_ms=2000") as first:
        consumer = await asyncio.to_thread(lambda: str(first.wait_ready().wait_for("queue")["consumer"]))
        await Producer(redis, keys).submit(tasks)
        await until(consumer, len(tasks))
        with WorkerProcess(*to, "--device", "sim:fixed") as second:
            await asyncio.to_thread(second.wait_ready)
            began = time.perf_counter()
            first.signal(signal.SIGKILL)
            ended = await until(consumer, 0)
    await redis.aclose()
    return (ended - began) / LEASE_S


def doors(device: str, url: str, folder: Path, rounds: int) -> None:
    """Compare whole evaluations of the dev set through one worker."""
    to = ("--redis", url, "--queue", "doors")
    with WorkerProcess("--bundle", str(DEMO_BUNDLE), "--device", device, *to) as worker:
        worker.wait_ready()
        rates = interleaved(
            rounds,
            grpc=lambda n: evaluate(folder / f"grpc-{n}", "--worker", worker.address),
            redis=lambda n: evaluate(folder / f"redis-{n}", *to),
        )
    ratio = median([r / g for r, g in zip(rates["redis"], rates["grpc"], strict=True)])
    grpc, redis = median(rates["grpc"]), median(rates["redis"])
    print(f"doors, dev set, {device}, median of {rounds}:")
    print(f"  gRPC {grpc:.0f} questions/s, Redis {redis:.0f}, of the rounds' ratios {ratio:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, RedisServer(Path(name) / "redis") as server:
        layers = [
            asyncio.run(layer(server.url, made(arguments.tasks, f"r{number}")))
            for number in range(arguments.rounds)
        ]
        submitted, ended = (median(column) for column in zip(*layers, strict=True))
        print(f"queue layer, median of {arguments.rounds}, Redis {server.executable.version}:")
        print(
            f"  {submitted:.0f} tasks/s submitted, {ended:.0f} tasks/s claimed and ended, {len(CONTEXT)} characters"
        )

        found = [asyncio.run(takeover(server.url)) for _ in range(arguments.rounds)]
        leases = ", ".join(f"{value:.2f}" for value in sorted(found))
        print(f"takeover of a killed worker, lease {LEASE_S:g} s: {leases} leases")

        for device in DEVICES:
            doors(device, server.url, Path(name) / device.replace("?", "-"), arguments.rounds)


if __name__ == "__main__":
    main()
