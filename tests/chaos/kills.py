"""Workers that are killed: at random during an evaluation, and at every crash point with every seed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from spanserve.client.evaluation.results import Results
from spanserve.client.scores import score_run
from spanserve.contract import Options
from spanserve.queue import JobState
from spanserve.squad import Dataset, load_dataset
from tests.chaos.ground import Ground
from tests.faults.faulty_worker import CRASH_POINTS, Faults
from tests.faults.oracle import Classes, Ledger
from tests.faults.queue_fleet import RUN, single_tasks

WORKERS = 4
#: Workers that may die of a task that kills whoever reads it: twice in company, three times alone.
DEATHS_EACH = 5
#: Tasks of an evaluation where there is no data set.
TASKS = 3000


def dev_set() -> Dataset | None:
    """SQuAD's, where SPANSERVE_SQUAD_DIR says it is."""
    folder = os.environ.get("SPANSERVE_SQUAD_DIR")
    return load_dataset(Path(folder) / "dev-v1.1.json") if folder else None


async def random_kills(ground: Ground, kills: int) -> Classes:
    """So many SIGKILLs of random workers of four, spread over an evaluation."""
    dataset = dev_set()
    tasks = single_tasks(TASKS) if dataset is None else dataset.tasks(RUN, Options())[0]
    async with ground.fleet(f"{kills}-kills", device="sim:fixed?latency_ms=60") as fleet:
        workers = [fleet.worker() for _ in range(WORKERS)]
        await fleet.ready(*workers)
        began = time.monotonic()
        async with fleet.evaluation(tasks) as evaluation:
            for number in range(kills):
                await evaluation.reached((number + 1) / (kills + 1))
                place = ground.chance.randrange(WORKERS)
                workers[place].signal(signal.SIGKILL)
                workers[place] = fleet.worker()
            ledger = await evaluation.ended()
        seconds = time.monotonic() - began
        classes = await fleet.check(ledger)
        print(f"  {kills} SIGKILLs, {sum(len(t.questions) for t in tasks)} questions, {seconds:.1f} s")
        if dataset is not None:
            print(f"  {scores(dataset, ledger)}: of answers that are all as without faults")
        return classes


def scores(dataset: Dataset, ledger: Ledger) -> str:
    """Exact match and F1 of a run."""
    results = Results(dataset.question_ids)
    for result in ledger.first.values():
        results.add(result)
    overall = score_run(dataset, results.predictions()).overall
    return f"exact {overall.exact:.4f}, F1 {overall.f1:.4f}"


def crash_points(ground: Ground) -> Iterator[tuple[str, int]]:
    """Every crash point, the how manyth pass it is the one from seed to seed."""
    while True:
        for point in CRASH_POINTS:
            yield point, ground.chance.randint(1, 1 if point.startswith("mid_") else 6)


async def crash(ground: Ground, point: str, passes: int) -> Classes:
    """One of two workers dies at a crash point."""
    latency_ms = 200 if point.startswith("mid_") else 20
    async with ground.fleet(f"{point}-{passes}", device=f"sim:fixed?latency_ms={latency_ms}") as fleet:
        dying = fleet.worker(faults=Faults(crash=point, passes=passes))
        await fleet.ready(dying)
        async with fleet.evaluation(single_tasks(240)) as evaluation:
            if point == "mid_release":
                await evaluation.reached(0.1)
                dying.signal(signal.SIGTERM)
            fleet.worker()
            ledger = await evaluation.ended()
        if dying.process.poll() is None:  # the run was over before it came that far
            dying.signal(signal.SIGKILL)
        await asyncio.to_thread(dying.wait)
        return await fleet.check(ledger)


async def poison(ground: Ground, count: int) -> Classes:
    """Tasks whose text brings down every worker that reads it are given up alone, after so many workers at most."""
    killers = single_tasks(count, "p", context="A poison said")
    tasks = single_tasks(100) + killers + single_tasks(100, "u")
    async with ground.fleet(f"poison-{count}", lease_s=0.6) as fleet:
        supervised = fleet.supervised(faults=Faults(abort_on="poison"))
        async with supervised as ends, fleet.evaluation(tasks) as evaluation:
            ledger = await evaluation.ended()
        dead = {task for task, state in await fleet.rig.events(RUN) if state == JobState.DEAD}
        assert {task.id for task in killers} == dead
        assert len(ends) <= DEATHS_EACH * count
        classes = await fleet.check(ledger, excused=dead)
        print(f"  {len(ends)} workers died of {count} tasks, 0 other tasks ended with them")
        return classes
