"""Everything at once: kills, frozen workers, restarts of Redis, a bad line, poison and cancelled tasks."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from spanserve.contract import Priority
from spanserve.queue import JobId
from tests.chaos.ground import Ground
from tests.faults.oracle import Classes
from tests.faults.proxy import Proxy, proxy_to
from tests.faults.queue_fleet import Evaluation, QueueFleet, single_tasks
from tests.kit.bundles import POISON_ID
from tests.kit.processes import WorkerProcess
from tests.kit.redis_server import Persistence

WORKERS = 3
#: Tasks of each second of a storm; it must not run dry.
TASKS_PER_S = 40
#: One of so many tasks brings a device down.
POISON_EVERY = 1000
#: Seconds between two faults, at most.
CALM_S = 1.5


@dataclass
class Storm:
    """Faults of all kinds on one fleet; every one is over before the next begins."""

    ground: Ground
    fleet: QueueFleet
    proxy: Proxy
    workers: list[WorkerProcess] = field(default_factory=list)
    #: Tasks that were cancelled, in time or not.
    cancelled: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)

    def start_worker(self) -> WorkerProcess:
        return self.fleet.worker(url=f"redis://{self.proxy.address}")

    async def kill(self, evaluation: Evaluation) -> None:
        self._other().signal(signal.SIGKILL)

    async def stop(self, evaluation: Evaluation) -> None:
        self._other().signal(signal.SIGTERM)

    async def freeze(self, evaluation: Evaluation) -> None:
        worker = self._other()
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(self.ground.chance.uniform(0.1, 2 * self.fleet.lease_s))
        worker.signal(signal.SIGCONT)

    async def restart_redis(self, evaluation: Evaluation) -> None:
        self.fleet.server.kill()
        await asyncio.sleep(self.ground.chance.uniform(0, 1))
        await asyncio.to_thread(self.fleet.server.start)

    async def lose_scripts(self, evaluation: Evaluation) -> None:
        self.fleet.rig.plain.script_flush()

    async def cut(self, evaluation: Evaluation) -> None:
        self.proxy.cut()

    async def half_open(self, evaluation: Evaluation) -> None:
        self.proxy.half_open()

    async def black_hole(self, evaluation: Evaluation) -> None:
        with self.proxy.black_hole():
            await asyncio.sleep(self.ground.chance.uniform(0.1, 2 * self.fleet.lease_s))

    async def bad_line(self, evaluation: Evaluation) -> None:
        self.proxy.delay_s, self.proxy.jitter_s, self.proxy.reset_rate = 0.05, 0.1, 0.01
        await asyncio.sleep(self.ground.chance.uniform(0.5, 3))
        self.proxy.delay_s = self.proxy.jitter_s = self.proxy.reset_rate = 0.0

    async def lose_reply(self, evaluation: Evaluation) -> None:
        self.proxy.swallow(b"EVALSHA", cut=self.ground.chance.random() < 0.5)

    async def cancel(self, evaluation: Evaluation) -> None:
        waiting = [task for task in evaluation.ledger.tasks if task.id not in evaluation.ledger.first]
        chosen = self.ground.chance.sample(waiting, min(20, len(waiting)))
        self.cancelled.update(task.id for task in chosen)
        await self.fleet.rig.producer.cancel([JobId.of(task) for task in chosen])

    async def strike(self, evaluation: Evaluation) -> None:
        """One fault, and workers in the place of those that are gone."""
        kinds: list[Callable[[Evaluation], Awaitable[None]]] = [
            self.kill,
            self.kill,
            self.stop,
            self.freeze,
            self.restart_redis,
            self.lose_scripts,
            self.cut,
            self.half_open,
            self.black_hole,
            self.bad_line,
            self.lose_reply,
            self.cancel,
        ]
        fault = self.ground.chance.choice(kinds)
        self.faults[getattr(fault, "__name__", "")] += 1
        await fault(evaluation)
        self.workers = [worker for worker in self.workers if worker.process.poll() is None]
        while len(self.workers) < WORKERS:
            self.workers.append(self.start_worker())

    def _other(self) -> WorkerProcess:
        return self.ground.chance.choice(self.workers)


async def storm(ground: Ground, seconds: float) -> Classes:
    """Faults for so many seconds, then calm until the run has ended."""
    count = round(seconds * TASKS_PER_S)
    bulk, urgent = single_tasks(count, "b"), single_tasks(count // 10, "i", priority=Priority.INTERACTIVE)
    poison = single_tasks(max(1, count // POISON_EVERY), "p", context="A poison said")
    tasks = bulk + urgent + poison
    ground.chance.shuffle(tasks)
    device = f"sim:fixed?latency_ms=400&abort_id={POISON_ID}"
    async with ground.fleet("storm", device=device, persistence=Persistence.EVERYSEC) as fleet:
        async with proxy_to(fleet.server.address, ground.chance) as proxy:
            raging = Storm(ground, fleet, proxy)
            raging.workers = [raging.start_worker() for _ in range(WORKERS)]
            async with fleet.evaluation(tasks, url=f"redis://{proxy.address}") as evaluation:
                end = time.monotonic() + seconds
                while time.monotonic() < end and len(evaluation.ledger.first) < len(tasks):
                    await asyncio.sleep(ground.chance.uniform(0, CALM_S))
                    await raging.strike(evaluation)
                async with fleet.supervised():
                    ledger = await evaluation.ended()
        excused = raging.cancelled | {task.id for task in poison}
        classes = await fleet.check(ledger, excused=excused, restarts=raging.faults["restart_redis"])
        print(f"  {len(raging.cancelled)} cancelled, {dict(raging.faults)}")
        return classes
