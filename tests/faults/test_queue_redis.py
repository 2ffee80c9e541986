"""A Redis that dies, forgets, fills up or is tampered with during a run: the client's ledger makes up for it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.queue_fleet import QueueFleet, single_tasks
from tests.kit.queue_rig import GROUP
from tests.kit.redis_server import Persistence
from tests.kit.waiting import eventually

MakeFleet = Callable[..., Awaitable[QueueFleet]]

SLOW = "sim:fixed?latency_ms=100"


def restart(fleet: QueueFleet) -> None:
    fleet.server.restart()


def flush(fleet: QueueFleet) -> None:
    fleet.rig.plain.flushall()


FORGETTING = {
    "killed, nearly all on disk": (Persistence.EVERYSEC, restart),
    "killed, nothing on disk": (Persistence.NONE, restart),
    "flushed": (Persistence.NONE, flush),
}


@pytest.mark.parametrize("name", FORGETTING)
async def test_a_redis_that_forgets(make_fleet: MakeFleet, name: str) -> None:
    """What Redis has forgotten is submitted again and computed again; the queue is made anew; nobody fills the log."""
    persistence, forget = FORGETTING[name]
    fleet = await make_fleet(device=SLOW, persistence=persistence)
    workers = [fleet.worker() for _ in range(2)]
    await fleet.ready(*workers)
    async with fleet.evaluation(single_tasks(400)) as evaluation:
        await evaluation.reached(0.2)
        await asyncio.to_thread(forget, fleet)
        ledger = await evaluation.ended()
    await fleet.check(ledger)
    assert persistence is not Persistence.NONE or ledger.forgotten > 0
    complaints = [record for worker in workers for record in worker.records("cannot read the queue")]
    assert len(complaints) <= 40


async def test_a_redis_that_keeps_all(make_fleet: MakeFleet) -> None:
    """D22: a Redis that writes before it replies forgets no task that it took: none is queued for a second time."""
    fleet = await make_fleet(device=SLOW, persistence=Persistence.ALWAYS)
    await fleet.ready(*(fleet.worker() for _ in range(2)))
    async with fleet.evaluation(single_tasks(200)) as evaluation:
        await evaluation.reached(0.2)
        await asyncio.to_thread(restart, fleet)
        ledger = await evaluation.ended()
    await fleet.check(ledger, restarts=1)
    assert 0 == ledger.forgotten


async def test_ten_restarts(make_fleet: MakeFleet) -> None:
    """Ten deaths of Redis in one evaluation, with a second of data lost each, lose nothing and count nothing twice."""
    fleet = await make_fleet(device="sim:fixed?latency_ms=50", persistence=Persistence.EVERYSEC)
    await fleet.ready(*(fleet.worker() for _ in range(2)))
    async with fleet.evaluation(single_tasks(600)) as evaluation:
        for number in range(10):
            await evaluation.reached(0.05 + 0.08 * number)
            await asyncio.to_thread(restart, fleet)
        ledger = await evaluation.ended()
    await fleet.check(ledger, restarts=10)


async def test_scripts_that_are_flushed(make_fleet: MakeFleet) -> None:
    """A Redis that loses its scripts all the time costs no execution."""
    fleet = await make_fleet()
    await fleet.ready(fleet.worker())
    async with fleet.evaluation(single_tasks(200)) as evaluation:
        while len(evaluation.ledger.first) < 200:
            fleet.rig.plain.script_flush()
            await asyncio.sleep(0.005)
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger)
    assert 0 == classes.duplicate_executions


async def test_maxmemory(make_fleet: MakeFleet) -> None:
    """A Redis that is full takes no tasks and all results; with more memory the run goes on."""
    fleet = await make_fleet()
    await fleet.ready(fleet.worker())
    plain = fleet.rig.plain
    plain.config_set("maxmemory", int(plain.info("memory")["used_memory"]) + (1 << 20))
    async with fleet.evaluation(single_tasks(600, context="x" * 4000)) as evaluation:
        await eventually(lambda: "queue is full" in evaluation.dispatcher.shares())
        plain.config_set("maxmemory", 0)
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger)
    assert 0 == classes.duplicate_executions
    assert {"ok"} == {line["outcome"] for line in fleet.journal.of("end")}


async def test_eviction(make_fleet: MakeFleet) -> None:
    """A worker does not start on a Redis that would evict jobs, and says how to mend it."""
    fleet = await make_fleet()
    fleet.rig.plain.config_set("maxmemory-policy", "allkeys-lru")
    worker = fleet.worker()
    assert 2 == await asyncio.to_thread(worker.wait)
    assert "CONFIG SET maxmemory-policy noeviction" in "\n".join(worker.lines)


async def test_trimmed(make_fleet: MakeFleet) -> None:
    """Entries that somebody trims, waiting or leased, are restored by the client's next submit."""
    fleet = await make_fleet(device=SLOW, config={"lease_ms": 1000})
    await fleet.ready(fleet.worker())
    async with fleet.evaluation(single_tasks(300)) as evaluation:
        await evaluation.reached(0.1)
        for stream in fleet.rig.keys.streams:
            fleet.rig.plain.xtrim(stream, maxlen=0, approximate=False)
        ledger = await evaluation.ended()
    await fleet.check(ledger)


@pytest.mark.parametrize("killed", [False, True], ids=["living", "killed"])
async def test_a_consumer_that_is_deleted(make_fleet: MakeFleet, killed: bool) -> None:
    """Results of a consumer that an operator deletes still count; what it cannot bring any more is queued again."""
    fleet = await make_fleet(device=SLOW)
    worker = fleet.worker()
    await fleet.ready(worker)
    async with fleet.evaluation(single_tasks(200)) as evaluation:
        await evaluation.reached(0.1)
        if killed:
            worker.signal(signal.SIGSTOP)
        for stream in fleet.rig.keys.streams:
            for consumer in fleet.rig.plain.xinfo_consumers(stream, GROUP):
                fleet.rig.plain.xgroup_delconsumer(stream, GROUP, consumer["name"])
        if killed:
            worker.signal(signal.SIGKILL)
            fleet.worker()
        ledger = await evaluation.ended()
    await fleet.check(ledger)
