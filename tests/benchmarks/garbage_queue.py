"""What a queue full of garbage leaves to the other queue of the same worker.

One worker takes tasks from two queues. Rounds of tasks in one of them go by turns with the other empty and with the
other full of entries that are no tasks, put there with the shipped script. What garbage takes is bounded by time: where
others work on the machine, the processor time that it takes in a second says what it leaves, and the clock does not.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from spanserve.queue import JobId, Keys, Producer, RedisSettings
from spanserve.queue.calls import Call, evaluate_all
from spanserve.queue.entry import VERSION, crc_of
from tests.benchmarks.queue_rate import made
from tests.benchmarks.setup import DEMO_BUNDLE, median
from tests.kit.processes import WorkerProcess
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import eventually

WHOLE, GARBAGE = Keys("whole"), Keys("garbage")
#: Entries of garbage that wait at any time, and how many are put there at once.
WAITING = 1000
AT_ONCE = 64
#: Seconds between two looks at the queues.
LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Seen:
    """A round: tasks a second, and seconds of processor that worker and Redis spent on each task."""

    rate: float
    worker_s: float
    redis_s: float


def spent(pid: int) -> float:
    """Processor time of a process, in seconds."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@asynccontextmanager
async def garbage(url: str) -> AsyncIterator[None]:
    """Keep one queue full of it."""
    redis = RedisSettings(url=url).connect()

    async def fill() -> None:
        while True:
            waiting = int(await redis.xlen(GARBAGE.streams[1]))
            if waiting < WAITING:
                await evaluate_all(redis, [entry() for _ in range(AT_ONCE)])
            else:
                await asyncio.sleep(LOOK_S)

    async def full() -> bool:
        return int(await redis.xlen(GARBAGE.streams[1])) > WAITING - AT_ONCE

    def entry() -> Call:
        job, data = JobId("", "r", secrets.token_hex(8)), secrets.token_bytes(30)
        return Call("submit", GARBAGE.of_job(job), (2, data, crc_of(data), 1, "", VERSION, ""))

    filling = asyncio.create_task(fill())
    try:
        await eventually(full)
        yield
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        await redis.aclose()


async def round_of(url: str, worker: int, server: int, count: int) -> Seen:
    """Have tasks answered."""
    redis = RedisSettings(url=url).connect()
    producer, run = Producer(redis, WHOLE), secrets.token_hex(4)
    await producer.submit(made(count, run))
    began, of_worker, of_server = time.perf_counter(), spent(worker), spent(server)
    left, cursor = count, "0"
    while left:
        events = await producer.events("", run, cursor, block_ms=1000)
        left -= len(events)
        cursor = events[-1].cursor if events else cursor
    seconds = time.perf_counter() - began
    await redis.aclose()
    return Seen(count / seconds, (spent(worker) - of_worker) / count, (spent(server) - of_server) / count)


async def measure(url: str, worker: int, server: int, rounds: int, count: int) -> None:
    alone: list[Seen] = []
    beside: list[Seen] = []
    for number in range(rounds + 1):  # the first warms up
        alone.append(await round_of(url, worker, server, count))
        async with garbage(url):
            beside.append(await round_of(url, worker, server, count))
        await thrown_away(url)
        if not number:
            alone.clear()
            beside.clear()
    print(f"{count} tasks of 5 questions, {rounds} rounds in turn, medians:")
    for name, seen in (("alone", alone), ("beside garbage", beside)):
        rate, of_worker, of_server = (
            median([getattr(s, f) for s in seen]) for f in ("rate", "worker_s", "redis_s")
        )
        print(
            f"  {name}: {rate:.0f} tasks/s, each {of_worker * 1e3:.2f} ms of worker, {of_server * 1e3:.2f} ms of Redis"
        )
    taken = [
        (b.worker_s + b.redis_s - a.worker_s - a.redis_s) * b.rate for a, b in zip(alone, beside, strict=True)
    ]
    clocks = [b.rate / a.rate for a, b in zip(alone, beside, strict=True)]
    print(
        f"  garbage takes {median(taken) * 1e3:.0f} ms of processor a second; rate by the clock {median(clocks):.2f}"
    )


async def thrown_away(url: str) -> None:
    """Throw away what is left of the garbage."""
    redis = RedisSettings(url=url).connect()
    for stream in GARBAGE.streams:
        await redis.xtrim(stream, maxlen=0, approximate=False)
    await redis.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--device", default="sim:fixed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, RedisServer(Path(name) / "redis") as server:
        to = ("--redis", server.url, "--queue", WHOLE.name, "--queue", GARBAGE.name)
        with WorkerProcess("--bundle", str(DEMO_BUNDLE), "--device", arguments.device, *to) as worker:
            worker.wait_ready()
            asyncio.run(measure(server.url, worker.pid, server.pid, arguments.rounds, arguments.tasks))


if __name__ == "__main__":
    main()
