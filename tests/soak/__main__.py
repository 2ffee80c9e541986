"""Questions on every door at once against one worker, and what it takes: `python -m tests.soak --questions 100000`.

gRPC, Redis, the Open Inference Protocol and HTTP get a quarter each. After every fiftieth, when nothing is asked and
the results in Redis have run out, memory, descriptors and threads of worker and host are looked at, and the memory of
Redis. Fails if one of them grew by more than 2 % after the first tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from redis import Redis
from rich.console import Console
from rich.table import Table

from spanserve.queue import Keys, RedisSettings
from spanserve.queue.config import configure
from tests.kit.bundles import make_sim_bundle
from tests.kit.processes import WorkerProcess
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import eventually
from tests.soak.askers import Ask, askers
from tests.soak.usage import Growth, Sample, growth, of_process

#: Looks in a soak.
LOOKS = 50
#: Milliseconds for which results in Redis are kept.
RESULT_TTL_MS = 3000


class Soak:
    """A worker with all its doors, and who looks at it."""

    def __init__(self, worker: WorkerProcess, redis: Redis) -> None:
        self._worker = worker
        self._redis = redis
        self._pids = {"worker": worker.pid, "host": worker.host_pid()}
        self.samples: list[Sample] = []

    async def run(self, doors: dict[str, Ask], questions: int, looks: int) -> None:
        """Ask so many questions, and look so often."""
        began = time.monotonic()
        each = max(1, questions // looks // len(doors))
        for look in range(1, looks + 1):
            await asyncio.gather(*(ask(each) for ask in doors.values()))
            await eventually(self._expired)
            self.samples.append(self._look())
            done, seconds = look * each * len(doors), time.monotonic() - began
            facts = ", ".join(f"{name} {value:.1f}" for name, value in self.samples[-1].items())
            print(f"{done:9} questions, {seconds:6.0f} s: {facts}", flush=True)
        assert self._worker.process.poll() is None

    async def _expired(self) -> bool:
        """Whether only the queue's own keys are left."""
        return not any(b":run:" in key or b":job:" in key for key in self._redis.scan_iter(count=1000))

    def _look(self) -> Sample:
        found: dict[str, float] = {}
        for name, pid in self._pids.items():
            found |= of_process(name, pid)
        memory = self._redis.info("memory")
        return {**found, "Redis, MiB": memory["used_memory"] / 2**20, "Redis keys": self._redis.dbsize()}


async def soak(questions: int, folder: Path, looks: int = LOOKS) -> list[Growth]:
    """Ask so many questions; how everything grew."""
    bundle = make_sim_bundle(folder / "bundle")
    arguments = ("--bundle", str(bundle.path), "--device", "sim:fixed", "--http", "127.0.0.1:0")
    with (
        RedisServer(folder / "redis") as server,
        WorkerProcess(*arguments, "--redis", server.url) as worker,
    ):
        worker.wait_ready()
        redis = RedisSettings(url=server.url).connect()
        await configure(redis, Keys("default"), result_ttl_ms=RESULT_TTL_MS)
        await redis.aclose()
        http = str(worker.wait_for("listening", door="http")["address"])
        made = Soak(worker, server.client())
        async with askers(worker.address, http, server.url) as doors:
            await made.run(doors, questions, looks)
    return growth(made.samples)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--questions", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spanserve-soak-") as folder:
        found = asyncio.run(soak(arguments.questions, Path(folder)))
    table = Table("after the first tenth", "early", "late", "growth", "")
    for one in found:
        numbers = f"{one.early:.2f}", f"{one.late:.2f}", f"{one.share:+.2%}"
        table.add_row(one.name, *numbers, "" if one.good else "too much")
    Console(width=100).print(table)
    return 0 if all(one.good for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
