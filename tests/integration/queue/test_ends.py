"""Ends: every job has exactly one, whoever else comes with another."""

from __future__ import annotations

import asyncio

import pytest

from spanserve.queue import End, JobId, JobState
from tests.kit.queue_rig import QueueRig, lease_of, queued_task

ENDS = [state for state in JobState if state is not JobState.QUEUED]
#: Ends that only the holder of the lease may bring about.
OWNED = [state for state in ENDS if state is not JobState.DONE]


@pytest.mark.parametrize("state", ENDS, ids=str)
async def test_ok(rig: QueueRig, state: JobState) -> None:
    """An end by the lease holder leaves a result, one event and a record, and takes the entry and the load away."""
    task, lease = await rig.submitted_and_claimed(questions=3)
    assert "ok" == await rig.end(lease, state)
    assert [(task.id, state.value)] == await rig.events()
    assert {task.id: b"a"} == rig.blobs()
    assert (state.value, "a") == (rig.state(task), rig.record(task)["by"])
    assert ((0, 0), (0, 0)) == (rig.depth(), rig.load())
    assert (1 if state is JobState.DEAD else 0) == len(rig.dead())


@pytest.mark.parametrize("first", ENDS, ids=str)
@pytest.mark.parametrize("second", ENDS, ids=str)
async def test_dup(rig: QueueRig, first: JobState, second: JobState) -> None:
    """Whoever comes second to the end of a job changes nothing, whatever it brings."""
    task, lease = await rig.submitted_and_claimed()
    await rig.end(lease, first)
    assert "dup" == await rig.end(lease, second, "b")
    assert (first.value, "a") == (rig.state(task), rig.record(task)["by"])
    assert ([(task.id, first.value)], {task.id: b"a"}) == (await rig.events(), rig.blobs())
    assert (1 if first is JobState.DEAD else 0) == len(rig.dead())


async def test_sent_again(rig: QueueRig) -> None:
    """An end whose reply was lost can be sent again and is a dup of itself."""
    task, lease = await rig.submitted_and_claimed()
    assert ["ok", "dup"] == [await rig.end(lease), await rig.end(lease)]
    assert [(task.id, "done")] == await rig.events()


@pytest.mark.parametrize("state", OWNED, ids=str)
async def test_stale(rig: QueueRig, state: JobState) -> None:
    """Who lost the lease cannot end the job in any way but done."""
    task, lease = await rig.submitted_and_claimed()
    rig.age(lease)
    await rig.consumer("b").reclaim(1)
    assert "stale" == await rig.end(lease, state)
    assert ("queued", ("b", 2)) == (rig.state(task), rig.owner(lease))
    assert ([], {}, []) == (await rig.events(), rig.blobs(), rig.dead())


async def test_done_by_who_lost_the_lease(rig: QueueRig) -> None:
    """The first result stands, also of one who lost the lease; the holder is told dup."""
    task, lease = await rig.submitted_and_claimed()
    rig.age(lease)
    await rig.consumer("b").reclaim(1)
    assert ["ok", "dup"] == [await rig.end(lease), await rig.end(lease, name="b")]
    assert {task.id: b"a"} == rig.blobs()
    assert (0, 0) == rig.depth()


@pytest.mark.parametrize("state", ENDS, ids=str)
async def test_orphan(rig: QueueRig, state: JobState) -> None:
    """An end of a job without a record drops its entry and leaves nothing."""
    task, lease = await rig.submitted_and_claimed()
    rig.plain.delete(rig.keys.job(lease.job), f"{rig.keys.tag}:tenant:")
    assert "orphan" == await rig.end(lease, state)
    assert (None, (0, 0)) == (rig.state(task), rig.depth())
    assert ([], {}, []) == (await rig.events(), rig.blobs(), rig.dead())


@pytest.mark.parametrize("blob", [b"", b"x"], ids=["without", "with"])
async def test_expiry(bare: QueueRig, blob: bytes) -> None:
    """Results and events go a result TTL after the last end, the record after two."""
    await bare.provision(result_ttl_ms=100_000)
    task, lease = await bare.submitted_and_claimed()
    await bare.consumer().end([End(lease, JobState.CANCELLED, blob)])
    keys = [bare.keys.events("", "r"), bare.keys.job(JobId.of(task))]
    if blob:
        keys.append(bare.keys.results("", "r"))
    assert [100, 200, 100][: len(keys)] == [-(-bare.plain.pttl(key) // 1000) for key in keys]


async def test_the_last_end_empties_the_queue(rig: QueueRig) -> None:
    """When nothing is left the load is gone, whatever went astray in it."""
    _, lease = await rig.submitted_and_claimed()
    rig.plain.hincrby(rig.keys.load, "bytes", 12345)
    await rig.end(lease)
    assert 0 == rig.plain.exists(rig.keys.load)


async def test_dead_letter(rig: QueueRig) -> None:
    """A dead letter holds all that it takes to look into it, or to try it again."""
    task, lease = await rig.submitted_and_claimed(questions=2)
    assert "ok" == await rig.end(lease, JobState.DEAD)
    (letter,) = rig.dead()
    del letter["entry"], letter["crc"]
    assert letter == {
        "v": b"1",
        "job": str(JobId.of(task)).encode(),
        "task": task.to_bytes(),
        "questions": b"2",
        "reason": b"because",
        "worker": b"a",
        "model": b"m",
        "deliveries": b"1",
    }


async def test_replay(rig: QueueRig) -> None:
    """A dead letter that is replayed waits again with its attempts forgotten, and has one more end."""
    task, lease = await rig.submitted_and_claimed()
    await rig.end(lease, JobState.DEAD)
    (letter,) = rig.dead()
    replayed = [await rig.producer.replay(letter["entry"].decode(), lease.job) for _ in range(2)]
    assert ["queued", "gone"] == replayed
    assert ([], {}, (1, 0)) == (rig.dead(), rig.blobs(), rig.depth())
    assert ["known"] == await rig.submit(task)
    (entry,) = (await rig.consumer("b").claim(8, 8)).entries
    assert (1, task) == (entry.deliveries, entry.task())
    assert "ok" == await rig.end(lease_of(entry), name="b")
    assert [(task.id, "dead"), (task.id, "done")] == await rig.events()
    assert ({task.id: b"b"}, (0, 0)) == (rig.blobs(), rig.load())


async def test_replay_of_an_orphan(rig: QueueRig) -> None:
    """A dead letter without a job record becomes a job again when it is replayed."""
    task = queued_task()
    await rig.submit(task)
    rig.plain.delete(rig.keys.job(JobId.of(task)), f"{rig.keys.tag}:tenant:")
    assert 1 == (await rig.consumer().claim(8, 8)).orphans
    (letter,) = rig.dead()
    assert "queued" == await rig.producer.replay(letter["entry"].decode(), JobId.of(task))
    (lease,) = await rig.claimed()
    assert "ok" == await rig.end(lease)


async def test_replay_of_what_has_ended_otherwise(rig: QueueRig) -> None:
    """A dead letter whose job has had another end since, or waits again, stays where it is."""
    task, lease = await rig.submitted_and_claimed()
    await rig.end(lease, JobState.DEAD)
    (letter,) = rig.dead()
    rig.plain.hset(rig.keys.job(lease.job), "state", "done")
    assert "ended" == await rig.producer.replay(letter["entry"].decode(), lease.job)
    assert (1, (0, 0)) == (len(rig.dead()), rig.depth())
    assert "done" == rig.state(task)


async def test_replay_without_a_queue(rig: QueueRig) -> None:
    """Nothing is replayed into a queue that is not there."""
    _, lease = await rig.submitted_and_claimed()
    await rig.end(lease, JobState.DEAD)
    (letter,) = rig.dead()
    rig.plain.delete(*rig.keys.streams)
    assert "missing" == await rig.producer.replay(letter["entry"].decode(), lease.job)
    assert 1 == len(rig.dead())


async def test_cancel_what_waits(rig: QueueRig) -> None:
    """A task that waits, new or given back, ends when it is cancelled, and is given to nobody."""
    task, lease = await rig.submitted_and_claimed()
    await rig.release(lease)
    other = queued_task("other")
    await rig.submit(other)
    jobs = [JobId.of(task), JobId.of(other)]
    assert ["cancelled", "cancelled"] == await rig.producer.cancel(jobs)
    assert ["ended", "ended"] == await rig.producer.cancel(jobs)
    assert [(task.id, "cancelled"), ("other", "cancelled")] == await rig.events()
    assert ([], (0, 0), (0, 0)) == (await rig.claimed("b"), rig.depth(), rig.load())


async def test_cancel_what_is_leased(rig: QueueRig) -> None:
    """A task that a worker has ends by that worker: cancelled if it can, done if it comes first."""
    (one, held), (two, finished) = [await rig.submitted_and_claimed() for _ in range(2)]
    assert ["flagged", "flagged"] == await rig.producer.cancel([held.job, finished.job])
    assert ["queued", "queued"] == [rig.state(one), rig.state(two)]
    assert ["ok", "ok"] == [await rig.end(held, JobState.CANCELLED), await rig.end(finished)]
    assert [(one.id, "cancelled"), (two.id, "done")] == await rig.events()


async def test_cancel_what_is_not_there(rig: QueueRig) -> None:
    """A job that was never submitted cannot be cancelled, and trying leaves nothing."""
    assert ["unknown"] == await rig.producer.cancel([JobId("", "r", "t")])
    assert [] == await rig.events()


async def test_cancel_against_done(rig: QueueRig) -> None:
    """Of a result and a cancellation that race for a thousand tasks one wins each, and there is one event."""
    tasks = [queued_task(f"t{n}") for n in range(1000)]
    await rig.submit(*tasks)
    leases = {lease.job.task_id: lease for lease in await rig.claimed(count=500)}

    async def finish() -> None:
        for lease in leases.values():
            await rig.end(lease)

    async def cancel() -> None:
        for task in reversed(tasks):
            await rig.producer.cancel([JobId.of(task)])

    await asyncio.gather(finish(), cancel())
    events = await rig.events()
    assert sorted(task.id for task in tasks) == sorted(task_id for task_id, _ in events)
    assert {"done", "cancelled"} == {state for _, state in events}
    assert (0, 0) == rig.depth()
