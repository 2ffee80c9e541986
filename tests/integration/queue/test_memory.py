"""Memory: what happens where Redis has none left, and that a run leaves nothing behind."""

from __future__ import annotations

import pytest

from spanserve.contract import ErrorCode, Refusal
from spanserve.queue import JobId, JobState, QueueError
from tests.kit.queue_rig import QueueRig, documented_keys, queued_task
from tests.kit.waiting import eventually

CONTEXT = "Anna Holm said the harbour froze. " * 1000


def used(rig: QueueRig) -> int:
    return int(rig.plain.info("memory")["used_memory"])


def fill(rig: QueueRig) -> None:
    """Put Redis over its limit, wherever that is."""
    rig.plain.config_set("maxmemory", used(rig) - 1)


@pytest.mark.parametrize("quota", [0, 1000], ids=lambda quota: f"quota-{quota}")
async def test_at_maxmemory(rig: QueueRig, quota: int) -> None:
    """At maxmemory submits are BUSY and leave nothing, claims and ends go on, and room is made by them."""
    rig.plain.hset(rig.keys.config, "max_tenant_tasks", quota)
    rig.plain.config_set("maxmemory", used(rig) + (2 << 20))
    tasks = [queued_task(f"t{n}", context=CONTEXT) for n in range(200)]
    outcomes = await rig.producer.submit(tasks)
    queued = [task for task, outcome in zip(tasks, outcomes, strict=True) if outcome == "queued"]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert 200 == len(queued) + len(refused)
    assert 10 < len(queued) < 190
    assert {(ErrorCode.RESOURCE_EXHAUSTED, "maxmemory")} == {(r.code, r.field) for r in refused}
    assert (len(queued), 0) == rig.depth()
    assert len(queued) == sum(rig.state(task) is not None for task in tasks)

    fill(rig)
    leases = await rig.claimed(count=len(queued))
    assert len(queued) == len(leases)
    assert (set(), set()) == await rig.consumer().renew(leases)
    released, *rest = leases
    assert await rig.release(released) is True
    assert [released] == await rig.claimed("b")
    fill(rig)
    assert {"ok"} == {await rig.end(lease) for lease in rest}
    assert "ok" == await rig.end(released, name="b")
    assert ((0, 0), (0, 0)) == (rig.depth(), rig.load())
    assert len(queued) == len(await rig.events())


@pytest.mark.parametrize("state", [s for s in JobState if s is not JobState.QUEUED], ids=str)
async def test_every_end_at_maxmemory(rig: QueueRig, state: JobState) -> None:
    """Every end of a job goes through at maxmemory, whole."""
    task, lease = await rig.submitted_and_claimed()
    fill(rig)
    assert "ok" == await rig.end(lease, state)
    assert ([(task.id, state.value)], {task.id: b"a"}) == (await rig.events(), rig.blobs())
    assert (1 if state is JobState.DEAD else 0) == len(rig.dead())
    assert ["ended"] == await rig.submit(task)


async def test_what_is_put_aside_at_maxmemory(rig: QueueRig) -> None:
    """An orphan goes to the dead letters, an old lease to another worker, also at maxmemory."""
    _, lease = await rig.submitted_and_claimed()
    rig.age(lease)
    await rig.submit(queued_task())
    rig.plain.delete(rig.keys.job(JobId("", "r", "t")))
    fill(rig)
    assert 1 == (await rig.consumer("b").claim(8, 8)).orphans
    assert 1 == len((await rig.consumer("b").reclaim(8)).entries)
    assert 1 == len(rig.dead())


async def test_cancel_at_maxmemory(rig: QueueRig) -> None:
    """What waits can be cancelled at maxmemory, and what is leased can be flagged: that relieves the queue."""
    task, lease = await rig.submitted_and_claimed()
    waiting = queued_task("waiting")
    await rig.submit(waiting)
    fill(rig)
    assert ["cancelled"] == await rig.producer.cancel([JobId("", "r", "waiting")])
    fill(rig)
    assert ["flagged"] == await rig.producer.cancel([lease.job])
    assert "cancel" in rig.record(task)


async def test_eviction_is_refused(bare: QueueRig) -> None:
    """A Redis that would evict jobs is not used, and the message says what to do."""
    bare.plain.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(QueueError, match="CONFIG SET maxmemory-policy noeviction"):
        await bare.provision()
    assert [] == bare.plain.keys()


async def test_a_run_leaves_nothing(bare: QueueRig) -> None:
    """After a run, when its results have expired, Redis holds what it held before, and nearly the same memory."""
    await bare.provision(result_ttl_ms=1)
    await run(bare, "warm-up", 300)
    await gone(bare)
    before = used(bare)
    await run(bare, "r", 3000)
    await gone(bare)
    assert (0, 0) == bare.depth()
    print(f"{before} bytes before 3,000 tasks, {used(bare)} after")
    assert used(bare) < before + 3000 * 10  # less than any trace of a task


async def run(rig: QueueRig, run_id: str, count: int) -> None:
    """Tasks with all kinds of ends."""
    tasks = [queued_task(f"t{n}", run_id=run_id) for n in range(count)]
    assert {"queued"} == set(await rig.submit(*tasks))
    states = [state for state in JobState if state is not JobState.QUEUED]
    for number, lease in enumerate(await rig.claimed(count=count)):
        assert "ok" == await rig.end(lease, states[number % len(states)])
    for letter in rig.dead():
        rig.plain.xdel(rig.keys.dead, letter["entry"])


async def gone(rig: QueueRig) -> None:
    """Wait until nothing is left that may expire with a run; the tenant's key lives longer, and is empty."""
    lasting = {rig.keys.tag + key for key, may in documented_keys().items() if may}
    await eventually(lambda: {key.decode() for key in rig.plain.scan_iter()} <= lasting)
