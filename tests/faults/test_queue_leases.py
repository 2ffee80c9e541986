"""Leases under stress: kept by whoever is slow, lost by whoever is silent, and a task has one result either way."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.faulty_worker import Faults
from tests.faults.proxy import proxy_to
from tests.faults.queue_fleet import LEASE_S, QueueFleet, single_tasks
from tests.kit.queue_rig import GROUP
from tests.kit.waiting import eventually

MakeFleet = Callable[..., Awaitable[QueueFleet]]

SLOW = "sim:fixed?latency_ms=100"


async def test_a_frozen_worker(make_fleet: MakeFleet) -> None:
    """What a frozen worker holds others finish; when it goes on, its results are dups, and it ends nothing else."""
    fleet = await make_fleet(device=SLOW)
    frozen = fleet.worker()
    await fleet.ready(frozen)
    async with fleet.evaluation(single_tasks(120)) as evaluation:
        await evaluation.reached(0.1)
        frozen.signal(signal.SIGSTOP)
        fleet.worker()
        ledger = await evaluation.ended()
        frozen.signal(signal.SIGCONT)
        await eventually(lambda: bool(fleet.journal.of("end", pid=frozen.pid, outcome="dup")))
        assert {"ok", "dup"} >= {line["outcome"] for line in fleet.journal.of("end", pid=frozen.pid)}
    classes = await fleet.check(ledger)
    assert 0 < classes.duplicate_executions <= 120


SLOWNESS = {
    "a batch of ten leases": Faults(late_s=6.0),
    "an event loop that stands still for three": Faults(stall_s=1.8),
}


@pytest.mark.parametrize("name", SLOWNESS)
async def test_a_slow_worker(make_fleet: MakeFleet, name: str) -> None:
    """A worker that takes many leases over a batch, or whose event loop stands still, loses no lease."""
    fleet = await make_fleet(lease_s=0.6)
    slow = fleet.worker(faults=SLOWNESS[name])
    await fleet.ready(slow)
    async with fleet.evaluation(single_tasks(40)) as evaluation:
        await eventually(lambda: bool(fleet.journal.of("start")))
        idle = fleet.worker()
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger)
    assert 0 == classes.duplicate_executions
    assert {1} == {line["deliveries"] for line in fleet.journal.of("start")}
    assert [] == idle.records("reclaimed")


@pytest.mark.parametrize(
    ("lease_s", "cut_s", "lost"),
    [(3 * LEASE_S, LEASE_S / 2, False), (LEASE_S, 2.5 * LEASE_S, True)],
    ids=["a sixth of a lease", "two and a half"],
)
async def test_renewals_that_fail(make_fleet: MakeFleet, lease_s: float, cut_s: float, lost: bool) -> None:
    """A cable cut for less than a lease costs nothing; one cut for longer costs executions, and no results."""
    fleet = await make_fleet(device="sim:fixed?latency_ms=250", lease_s=lease_s)
    async with proxy_to(fleet.server.address) as proxy:
        cut_off, other = fleet.worker(url=f"redis://{proxy.address}"), fleet.worker()
        await fleet.ready(cut_off, other)
        async with fleet.evaluation(single_tasks(240)) as evaluation:
            await evaluation.reached(0.1)
            with proxy.black_hole():
                await asyncio.sleep(cut_s)
            ledger = await evaluation.ended()
        await fleet.check(ledger)
        assert bool(cut_off.records("leases in doubt")) == bool(other.records("reclaimed")) == lost
        if not lost:
            assert {1} == {line["deliveries"] for line in fleet.journal.of("start")}


async def test_a_step_of_the_clock(make_fleet: MakeFleet) -> None:
    """When the clock of Redis jumps, and every lease runs out at once, tasks change hands and are counted once."""
    fleet = await make_fleet(device="sim:fixed?latency_ms=300")
    workers = [fleet.worker() for _ in range(3)]
    await fleet.ready(*workers)
    async with fleet.evaluation(single_tasks(240)) as evaluation:

        def stepped() -> bool:
            step_clock(fleet)
            return any(worker.records("reclaimed") for worker in workers)

        await eventually(stepped)
        ledger = await evaluation.ended()
    await fleet.check(ledger)


def step_clock(fleet: QueueFleet) -> None:
    """Age every lease by an hour."""
    plain = fleet.rig.plain
    for stream in fleet.rig.keys.streams:
        for pending in plain.xpending_range(stream, GROUP, "-", "+", 1000):
            plain.xclaim(
                stream, GROUP, pending["consumer"], 0, [pending["message_id"]], idle=3_600_000, justid=True
            )


async def test_wrong_clocks(make_fleet: MakeFleet) -> None:
    """Workers whose wall clocks are a day fast and a day slow share the work as if they were right."""
    fleet = await make_fleet(device=SLOW)
    day_s = 24 * 3600.0
    await fleet.ready(*(fleet.worker(faults=Faults(wall_clock_s=offset)) for offset in (-day_s, day_s)))
    async with fleet.evaluation(single_tasks(100, timeout_ms=60_000)) as evaluation:
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger)
    assert 0 == classes.duplicate_executions
    assert 2 == len({line["pid"] for line in fleet.journal.of("start")})
