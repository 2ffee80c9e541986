"""Rounds of `spanserve eval` while workers, hosts, the client and Redis are killed and stopped.

Its files at the end must be those of a calm run, and what callers at the other doors were told meanwhile must be right.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.callers import DOORS, Address, callers
from tests.chaos.ground import Ground
from tests.e2e.test_eval import squad
from tests.faults.oracle import Classes
from tests.faults.queue_fleet import QUEUE, QueueFleet
from tests.faults.test_queue_leases import step_clock
from tests.kit.ports import free_port
from tests.kit.processes import PATIENCE_S, ROOT, WorkerProcess
from tests.kit.redis_server import Persistence
from tests.kit.waiting import eventually

WORKERS = 3
#: Passages of the data set, of two questions each.
PASSAGES = 500
#: Faults of a round, and seconds between two of them, at most.
STRIKES = 14
CALM_S = 1.5
#: Seconds of a lease, and of a batch of at most so many windows.
LEASE_S = 1.0
LATENCY_MS = 250
MAX_BATCH = 8
#: Seconds that a round may take in all.
ROUND_S = 240.0
#: Workers that die one after the other with tasks in hand, more than ever made somebody call a task poison; and how
#: many tasks.
BURST = 12
HELD = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the files of a run say."""

    predictions: dict[str, str]
    scores: dict[str, Any]
    #: Task -> lines of it in the ledger.
    ledger: Counter[str]

    @classmethod
    def read(cls, folder: Path) -> Outcome:
        lines = (folder / "ledger.jsonl").read_text(encoding="utf-8").splitlines()[1:]
        return cls(
            json.loads((folder / "predictions.json").read_text(encoding="utf-8")),
            json.loads((folder / "scores.json").read_text(encoding="utf-8")),
            Counter(json.loads(line)["id"] for line in lines),
        )


@dataclass
class Run:
    """`spanserve eval` of one data set, begun again whenever it is killed."""

    dataset: Path
    folder: Path
    way: tuple[str, ...]
    starts: int = 0
    _process: asyncio.subprocess.Process | None = None

    async def begin(self) -> None:
        """Start it, on what it finds of an earlier start."""
        self.starts += 1
        with (self.folder.with_suffix(".log")).open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "spanserve", "eval", str(self.dataset), *self.way),
                *("-o", str(self.folder), "--json", *(["--resume"] if self.starts > 1 else [])),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )

    @property
    def ended(self) -> bool:
        return self._process is not None and self._process.returncode is not None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def kill(self) -> None:
        """Kill it and begin it again; of no effect on one that has ended."""
        if not self.ended:
            self.signal(signal.SIGKILL)
            assert self._process is not None
            if await self._process.wait() == -signal.SIGKILL:
                await self.begin()

    async def outcome(self) -> Outcome:
        """Its files, once it has ended well."""
        assert self._process is not None
        status = await self._process.wait()
        assert status == 0, f"eval ended with {status}: {self.folder.with_suffix('.log').read_text()[-2000:]}"
        return Outcome.read(self.folder)


@dataclass
class Round:
    """One evaluation and what strikes it."""

    ground: Ground
    fleet: QueueFleet
    run: Run
    #: Who listens there.
    workers: dict[Address, WorkerProcess]
    through_queue: bool
    faults: Counter[str] = field(default_factory=Counter)

    def _worker(self) -> WorkerProcess:
        return self.ground.chance.choice(list(self.workers.values()))

    async def _freeze(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(self.ground.chance.uniform(0.1, 2 * LEASE_S))
            os.kill(pid, signal.SIGCONT)

    async def kill_worker(self) -> None:
        self._worker().signal(signal.SIGKILL)

    async def stop_worker(self) -> None:
        await self._freeze(self._worker().pid)

    async def kill_host(self) -> None:
        for pid in hosts(self._worker()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def stop_host(self) -> None:
        for pid in hosts(self._worker()):
            await self._freeze(pid)

    async def kill_client(self) -> None:
        await self.run.kill()

    async def stop_client(self) -> None:
        self.run.signal(signal.SIGSTOP)
        await asyncio.sleep(self.ground.chance.uniform(0.1, 2 * LEASE_S))
        self.run.signal(signal.SIGCONT)

    async def kill_redis(self) -> None:
        self.fleet.server.kill()
        await asyncio.sleep(self.ground.chance.uniform(0, 1))
        await asyncio.to_thread(self.fleet.server.start)

    async def stop_redis(self) -> None:
        with self.fleet.server.frozen():
            await asyncio.sleep(self.ground.chance.uniform(0.1, 2 * LEASE_S))

    async def strike(self) -> None:
        """One fault, and a worker in the place of each that is gone."""
        kinds: list[Callable[[], Awaitable[None]]] = [
            self.kill_worker,
            self.kill_worker,
            self.stop_worker,
            self.kill_host,
            self.stop_host,
            self.kill_client,
            self.stop_client,
        ]
        if self.through_queue:
            kinds += [self.kill_redis, self.stop_redis]
        fault = self.ground.chance.choice(kinds)
        self.faults[getattr(fault, "__name__", "")] += 1
        await fault()
        self.replace()

    @property
    def deaths(self) -> int:
        """Workers and hosts that were killed."""
        return self.faults["kill_worker"] + self.faults["kill_host"] + WORKERS * self.faults["burst"]

    def replace(self) -> None:
        """Start a worker in the place of each that is gone."""
        for address, worker in self.workers.items():
            if worker.process.poll() is not None:
                self.workers[address] = start(self.fleet, address)

    async def burst(self) -> None:
        """All workers die, and so do others after them that have begun nothing: they take along what they hold."""
        rig = self.fleet.rig
        await eventually(lambda: self.run.ended or rig.depth()[1] > 0)
        for worker in self.workers.values():
            worker.signal(signal.SIGKILL)
            await asyncio.to_thread(worker.wait)
        for number in range(BURST):
            step_clock(self.fleet)
            held = await rig.consumer(f"dead-{number}").reclaim(HELD)
        print(f"  {len(held.entries)} tasks were held by {BURST} that died")
        self.faults["burst"] += 1
        self.replace()

    async def rage(self) -> Outcome:
        """Strike until that is enough or the run has ended; then see to workers only."""
        if self.through_queue:
            await self.burst()
        for _ in range(STRIKES):
            await asyncio.sleep(self.ground.chance.uniform(0, CALM_S))
            if self.run.ended:
                break
            await self.strike()
        ending = asyncio.ensure_future(self.run.outcome())
        while not (await asyncio.wait((ending,), timeout=LEASE_S))[0]:
            self.replace()
        return ending.result()


def hosts(worker: WorkerProcess) -> list[int]:
    """Device hosts of a worker; none while it starts one, or is gone."""
    try:
        return [worker.host_pid()]
    except (AssertionError, OSError):
        return []


def start(fleet: QueueFleet, address: Address) -> WorkerProcess:
    doors = ("--listen", address.grpc, "--http", address.http)
    return fleet.worker(*doors, "--max-batch-size", str(MAX_BATCH))


@asynccontextmanager
async def workers_of(
    ground: Ground, name: str
) -> AsyncIterator[tuple[QueueFleet, dict[Address, WorkerProcess]]]:
    """Workers that serve a queue and listen as well."""
    device = f"sim:fixed?latency_ms={LATENCY_MS}"
    async with ground.fleet(name, device=device, persistence=Persistence.EVERYSEC, lease_s=LEASE_S) as fleet:
        addresses = [Address(*(f"127.0.0.1:{free_port()}" for _ in ("gRPC", "HTTP"))) for _ in range(WORKERS)]
        workers = {address: start(fleet, address) for address in addresses}
        await fleet.ready(*workers.values())
        yield fleet, workers


async def calm(ground: Ground) -> tuple[Path, Outcome]:
    """The data set, and what its evaluation gives where nothing happens; computed once."""
    dataset, folder = ground.folder / "rounds.json", ground.folder / "calm"
    if not dataset.exists():
        async with workers_of(ground, "calm") as (_, workers):
            squad(dataset, PASSAGES)
            run = Run(dataset, folder, ("--worker", next(iter(workers)).grpc))
            await run.begin()
            await run.outcome()
    return dataset, Outcome.read(folder)


async def evaluation_round(ground: Ground, *, through_queue: bool) -> Classes:
    """One evaluation with faults; its predictions must be those of the calm run."""
    dataset, expected = await calm(ground)
    name = "round-queue" if through_queue else "round-grpc"
    async with workers_of(ground, name) as (fleet, workers):
        way: tuple[str, ...] = ("--redis", fleet.server.url, "--queue", QUEUE)
        if not through_queue:
            way = tuple(word for address in workers for word in ("--worker", address.grpc))
        run = Run(dataset, fleet.journal_path.parent / "out", way)
        await run.begin()
        round_ = Round(ground, fleet, run, workers, through_queue)
        try:
            async with (
                asyncio.timeout(ROUND_S),
                callers(ground.chance, ground.bundle, list(workers)) as asking,
            ):
                found = await round_.rage()
        finally:
            run.signal(signal.SIGKILL)
        if through_queue:
            await eventually(lambda: fleet.rig.depth() == (0, 0), patience_s=PATIENCE_S)
        dead = len(fleet.rig.dead())
        twice = sum(count - 1 for count in found.ledger.values())
        lost = sorted(set(expected.predictions) - set(found.predictions))
        different = [n for n, text in found.predictions.items() if expected.predictions.get(n) != text]
        print(f"  {run.starts} starts of the client, {dict(round_.faults)}")
        print(f"  callers: answered {dict(asking.answered)}, in vain {dict(asking.in_vain)}")
        assert ([], [], 0, 0) == (lost[:5], different[:5], twice, dead)
        assert set(DOORS) == set(asking.answered)
        assert expected.scores == found.scores
        return Classes(
            expected=len(expected.ledger),
            terminal=len(found.ledger),
            lost=0,
            double_counted=twice,
            duplicate_events=0,
            duplicate_executions=sum(n - 1 for n in fleet.journal.executions.values()),
            conflicts=len(fleet.journal.conflicts),
            unexpected=len(set(found.predictions) - set(expected.predictions)),
            recovered=0,
            dead=dead,
            stale=len(fleet.journal.of("end", outcome="stale")),
            crashes=round_.deaths + run.starts - 1,
        )
