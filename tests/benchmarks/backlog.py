"""A queue with a backlog of 100,000 tasks: rates of submit and claim, memory, and how long `queue status` takes.

Like `queue_rate` without features and without a device: one process submits all tasks, looks at the queue, then claims
and ends them all. The first and the last tenth of each are shown, for what a backlog costs grows with it or does not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from redis.asyncio import Redis

from spanserve.contract.limits import MIB
from spanserve.queue import (
    Consumer,
    End,
    JobState,
    Keys,
    Lease,
    Producer,
    QueueConfig,
    RedisSettings,
    provision,
)
from tests.benchmarks.garbage_queue import spent
from tests.benchmarks.queue_rate import AT_ONCE, made
from tests.kit.redis_server import RedisServer
from tests.kit.scripted_worker import answers

KEYS = Keys("backlog")
#: What `queue status` exits with here.
WAITING = 1
#: How often it is run.
LOOKS = 5


async def paced(what: str, count: int, server: int, step: Callable[[int], Awaitable[int]]) -> None:
    """Take steps until `count` tasks have been through; print the rates of the first tenth, all, and the last tenth."""
    done = 0
    marks = [(0, time.perf_counter())]
    before = spent(server)
    while done < count:
        done += await step(done)
        marks.append((done, time.perf_counter()))

    def rate(first: float, last: float) -> float:
        part = [mark for mark in marks if first * count <= mark[0] <= last * count]
        return (part[-1][0] - part[0][0]) / (part[-1][1] - part[0][1])

    of_server = (spent(server) - before) / count * 1e6
    print(
        f"{what}: {rate(0, 1):.0f} tasks/s, the first tenth {rate(0, 0.1):.0f}, the last {rate(0.9, 1):.0f}; "
        f"{of_server:.0f} us of Redis each",
        flush=True,
    )


async def memory(redis: Redis) -> int:
    """Bytes that Redis uses."""
    return int((await redis.info("memory"))["used_memory"])


async def measure(server: RedisServer, pid: int, count: int) -> None:
    redis = RedisSettings(url=server.url).connect()
    await provision(redis, KEYS, QueueConfig(max_tasks=count))
    producer, consumer = Producer(redis, KEYS), Consumer(redis, KEYS, "c")
    tasks = made(count, "r")
    bytes_ = sum(len(task.to_bytes()) for task in tasks)
    empty = await memory(redis)

    async def submit(first: int) -> int:
        await producer.submit(tasks[first : first + AT_ONCE])
        return min(AT_ONCE, count - first)

    await paced("submit", count, pid, submit)
    full = await memory(redis) - empty
    print(f"memory: {full / MIB:.0f} MiB for tasks of {bytes_ / MIB:.0f} MiB, {full / count:.0f} bytes each")
    before = spent(pid)
    looks = [await asyncio.to_thread(status, server.url) for _ in range(LOOKS)]
    seconds, processor = (statistics.median(column) for column in zip(*looks, strict=True))
    of_server = (spent(pid) - before) / LOOKS
    print(f"queue status: {seconds:.2f} s, of processor {processor:.2f} s, and {of_server:.3f} s of Redis")
    blob = answers(tasks[0]).to_bytes()

    async def claim(first: int) -> int:
        entries = (await consumer.claim(AT_ONCE, AT_ONCE)).entries
        ends = [End(Lease(one.number, one.id, one.job), JobState.DONE, blob) for one in entries]
        await consumer.end(ends)
        return len(ends)

    await paced("claim and end", count, pid, claim)
    await redis.aclose()


def status(url: str) -> tuple[float, float]:
    """Seconds of the command, from its start to its end, and seconds of processor that it took."""
    command = [sys.executable, "-m", "spanserve.cli", "queue", "status", "--queue", KEYS.name, "--redis", url]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, ended, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(ended)
    assert process.returncode == WAITING, "tasks are waiting and no worker is alive"
    return time.perf_counter() - began, used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, RedisServer(Path(name) / "redis") as server:
        asyncio.run(measure(server, server.pid, arguments.tasks))


if __name__ == "__main__":
    main()
