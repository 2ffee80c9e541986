"""Workers that are killed at random while a client evaluates: no question is lost, none counts twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from spanserve.client import Dispatcher
from spanserve.client.evaluation.results import Results
from spanserve.contract import Options, Task, TaskResult
from spanserve.squad import load_dataset
from tests.kit.processes import WorkerProcess
from tests.kit.wire import make_task

StartWorker = Callable[..., WorkerProcess]

WORKERS = 4
KILLS = 20
SEED = 56


@dataclass
class Fleet:
    """Workers on socket files of their own; a killed one is started again on the same file."""

    start: StartWorker
    folder: Path
    device: str
    kills: int = 0
    workers: list[WorkerProcess] = field(default_factory=list)

    @property
    def addresses(self) -> list[str]:
        return [f"unix:{self.folder}/w{index}.sock" for index in range(WORKERS)]

    def begin(self) -> None:
        self.workers = [self._started(address) for address in self.addresses]
        for worker in self.workers:
            worker.wait_ready()

    def kill(self, index: int) -> None:
        """SIGKILL a worker, whatever it is doing, and start another in its place."""
        worker = self.workers[index]
        worker.signal(signal.SIGKILL)
        assert -signal.SIGKILL == worker.wait()
        self.workers[index] = self._started(self.addresses[index])
        self.kills += 1

    def _started(self, address: str) -> WorkerProcess:
        return self.start("--listen", address, device=self.device)


@dataclass
class Journal:
    """What a client saw: the aggregate, and how often each task was delivered."""

    results: Results
    first: dict[str, TaskResult] = field(default_factory=dict)
    delivered_again: int = 0
    seconds: float = 0.0

    def add(self, result: TaskResult) -> None:
        if self.first.setdefault(result.id, result) is not result:
            self.delivered_again += 1
        self.results.add(result)


def journal_of(tasks: Iterable[Task]) -> Journal:
    return Journal(Results(question.id for task in tasks for question in task.questions))


async def evaluate(fleet: Fleet, tasks: list[Task], kills: int, chance: random.Random) -> Journal:
    """A run over all workers, during which so many of them are killed, evenly spread over its progress."""
    journal = journal_of(tasks)
    began = time.monotonic()
    killing: list[asyncio.Task[None]] = []
    async for results in Dispatcher(fleet.addresses, chance=random.Random(SEED)).run(tasks):
        for result in results:
            journal.add(result)
        done = len(journal.first) / len(tasks)
        if len(killing) < kills and done * (kills + 1) >= len(killing) + 1:
            if killing:
                await killing[-1]
            killing.append(asyncio.create_task(asyncio.to_thread(fleet.kill, chance.randrange(WORKERS))))
    await asyncio.gather(*killing)
    journal.seconds = time.monotonic() - began
    return journal


def check(calm: Journal, stormy: Journal, fleet: Fleet) -> None:
    """The oracle: nothing lost, nothing counted twice, and every answer as without faults."""
    assert KILLS == fleet.kills
    assert () == calm.results.missing() == stormy.results.missing()
    assert set() == stormy.results.unexpected
    assert 0 == stormy.results.conflicts
    assert len(stormy.results.expected) == sum(stormy.results.by_worker.values())
    assert 1 == len(stormy.results.by_model)
    assert calm.results.errors == stormy.results.errors
    assert calm.results.answers == stormy.results.answers
    attempts = [result.attempt for result in stormy.first.values()]
    print(
        f"seed {SEED}: {KILLS} SIGKILLs of {WORKERS} workers, {len(stormy.results.expected)} questions in "
        f"{len(stormy.first)} tasks, {stormy.seconds:.1f} s ({calm.seconds:.1f} s without): 0 lost, 0 counted "
        f"twice, {stormy.delivered_again} delivered again, {sum(a > 1 for a in attempts)} tasks sent again, "
        f"most attempts {max(attempts)}"
    )


async def storm(fleet: Fleet, tasks: list[Task]) -> None:
    await asyncio.to_thread(fleet.begin)
    calm = await evaluate(fleet, tasks, 0, random.Random(SEED))
    stormy = await evaluate(fleet, tasks, KILLS, random.Random(SEED))
    check(calm, stormy, fleet)


async def test_20_kills(start_worker: StartWorker, tmp_path: Path) -> None:
    """Twenty SIGKILLs of random workers during 9,000 questions change neither the answers nor their number."""
    tasks = [
        make_task(
            f"t{n}", "Who said?", "When?", f"What did Holm {n}?", context=f"Anna said {n} froze in 1871."
        )
        for n in range(3000)
    ]
    await storm(Fleet(start_worker, tmp_path, "sim:fixed?latency_ms=60"), tasks)


@pytest.mark.slow
async def test_20_kills_on_the_dev_set(start_worker: StartWorker, tmp_path: Path) -> None:
    """The same with the 10,570 questions of the SQuAD dev set."""
    folder = os.environ.get("SPANSERVE_SQUAD_DIR")
    if not folder:
        pytest.skip("SPANSERVE_SQUAD_DIR, the folder of dev-v1.1.json, is not set")
    dataset = load_dataset(Path(folder) / "dev-v1.1.json")
    tasks, refused = dataset.tasks("kills", Options())
    assert {} == refused
    await storm(Fleet(start_worker, tmp_path, "sim:fixed?latency_ms=20"), tasks)
