"""Workers that die at every moment between the claim of a task and the end of it: none is lost, none counts twice."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.faulty_worker import CRASH_POINTS, Faults
from tests.faults.queue_fleet import QueueFleet, single_tasks

MakeFleet = Callable[..., Awaitable[QueueFleet]]

#: Seeds for each crash point, the latest pass at which one dies, and tasks enough for a worker that has half of them.
SEEDS = 20
LATEST_PASS = 6
TASKS = 400


async def crashed(make_fleet: MakeFleet, point: str, passes: int, tasks: int = 100) -> None:
    """A worker is killed when it comes to this point for so many a time; another ends what it leaves."""
    of_leases = point.startswith("mid_")  # which come now and then
    fleet = await make_fleet(device=f"sim:fixed?latency_ms={200 if of_leases else 20}")
    dying = fleet.worker(faults=Faults(crash=point, passes=passes))
    await fleet.ready(dying)
    async with fleet.evaluation(single_tasks(tasks)) as evaluation:
        if point == "mid_release":
            await evaluation.reached(0.1)
            dying.signal(signal.SIGTERM)
        fleet.worker()
        ledger = await evaluation.ended()
    assert -signal.SIGKILL == await asyncio.to_thread(dying.wait)
    classes = await fleet.check(ledger)
    assert (1, 0) == (classes.crashes, classes.dead)
    assert classes.duplicate_executions <= tasks
    if point == "after_finish_before_reply":
        (crash,) = fleet.journal.of("crash")
        assert {1} == {fleet.journal.executions[job] for job in crash["jobs"]}


@pytest.mark.parametrize("point", CRASH_POINTS)
async def test_a_crash(make_fleet: MakeFleet, point: str) -> None:
    """A worker that is killed at this point leaves its tasks to another; every one has its one result."""
    await crashed(make_fleet, point, 1 if point.startswith("mid_") else 2)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("point", CRASH_POINTS)
async def test_a_crash_sooner_or_later(make_fleet: MakeFleet, point: str, seed: int) -> None:
    """D3: so it is whenever the worker comes there."""
    latest = 1 if point.startswith("mid_") else LATEST_PASS
    await crashed(make_fleet, point, random.Random(seed).randint(1, latest), TASKS)
