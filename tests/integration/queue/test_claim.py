"""Claiming: what a worker is given, in which order, and what is put aside instead."""

from __future__ import annotations

import asyncio

import pytest

from spanserve.contract import Priority, Refusal
from spanserve.queue import Entry, JobId, JobState, consumer, overview
from tests.kit.queue_rig import LEASE_MS, QueueRig, lease_of, queued_task


def job(task_id: str) -> JobId:
    return JobId("", "r", task_id)


async def test_entry(rig: QueueRig) -> None:
    """An entry brings the task as it was submitted, its first delivery, and no deadline if it has none."""
    task = queued_task(questions=2, tenant="x", priority=Priority.INTERACTIVE)
    await rig.submit(task)
    claimed = await rig.consumer().claim(8, 8)
    (entry,) = claimed.entries
    assert task == entry.task()
    assert (1, 1, None, False, "1") == (
        entry.number,
        entry.deliveries,
        entry.remaining_ms,
        entry.cancelled,
        entry.version,
    )
    assert (0, 0, 0) == (claimed.orphans, claimed.leftovers, claimed.trimmed)
    assert ("a", 1) == rig.owner(lease_of(entry))


ORDERS = {
    "as many of each as wanted": (4, 2, ["i0", "i1", "b0", "b1"]),
    "no interactive ones first": (4, 0, ["b0", "b1", "b2", "i0"]),
    "interactive ones only": (3, 3, ["i0", "i1", "i2"]),
    "more than there are": (9, 1, ["i0", "b0", "b1", "b2", "i1", "i2"]),
    "none": (0, 0, []),
}


@pytest.mark.parametrize("name", ORDERS)
async def test_share_of_a_class(rig: QueueRig, name: str) -> None:
    """Interactive entries come first up to their share, then bulk, then whatever is left; oldest first."""
    count, share, expected = ORDERS[name]
    for n in range(3):
        await rig.submit(queued_task(f"i{n}", priority=Priority.INTERACTIVE), queued_task(f"b{n}"))
    claimed = await rig.consumer().claim(count, share)
    assert expected == [entry.job.task_id for entry in claimed.entries]


async def test_nobody_gets_what_another_has(rig: QueueRig) -> None:
    """Consumers that claim side by side are given disjoint entries, all of them together."""
    await rig.submit(*(queued_task(f"t{n}") for n in range(60)))
    given = await asyncio.gather(*(rig.claimed(f"c{n % 3}", 7) for n in range(12)))
    entries = [lease.entry for leases in given for lease in leases]
    assert 60 == len(entries) == len(set(entries))


async def test_released_ones_first(rig: QueueRig) -> None:
    """What was given back is given out before what is new."""
    _, lease = await rig.submitted_and_claimed()
    await rig.submit(queued_task("new", priority=Priority.INTERACTIVE))
    assert await rig.release(lease) is True
    assert [lease] == await rig.claimed("b", 1)
    assert ["new"] == [lease.job.task_id for lease in await rig.claimed("b")]


async def test_orphan(rig: QueueRig) -> None:
    """An entry whose job has no record goes to the dead letters with all that it holds, and is not given out."""
    task = queued_task(questions=2)
    await rig.submit(task)
    rig.plain.delete(rig.keys.job(job("t")))
    claimed = await rig.consumer().claim(8, 8)
    assert ([], 1) == (claimed.entries, claimed.orphans)
    (letter,) = rig.dead()
    assert (b"no job record", task.to_bytes(), b"/r/t", b"2") == (
        letter["reason"],
        letter["task"],
        letter["job"],
        letter["questions"],
    )
    assert (0, 0) == rig.depth()
    rig.plain.delete(f"{rig.keys.tag}:tenant:")


async def test_leftover_of_a_job_that_has_ended(rig: QueueRig) -> None:
    """An entry of a job that has ended is dropped."""
    task, lease = await rig.submitted_and_claimed()
    (entry,) = rig.plain.xrange(rig.keys.stream(2))
    await rig.end(lease)
    rig.plain.xadd(rig.keys.stream(2), entry[1])
    claimed = await rig.consumer("b").claim(8, 8)
    assert ([], 1) == (claimed.entries, claimed.leftovers)
    assert (0, 0) == rig.depth()
    assert [(task.id, "done")] == await rig.events()


async def test_leftover_beside_the_entry_of_a_job(rig: QueueRig) -> None:
    """Of two entries of a job only the one in its record is given out."""
    task = queued_task()
    await rig.submit(task)
    ((first, fields),) = rig.plain.xrange(rig.keys.stream(2))
    rig.plain.xadd(rig.keys.stream(2), fields)
    claimed = await rig.consumer().claim(8, 8)
    assert [first.decode()] == [entry.id for entry in claimed.entries]
    assert 1 == claimed.leftovers
    assert (1, 1) == rig.depth()


async def test_deadline(rig: QueueRig) -> None:
    """An entry tells how long its task still has, and nothing is left once that has passed."""
    tasks = [queued_task("soon", timeout_ms=1), queued_task("late", timeout_ms=3_600_000)]
    await rig.submit(*tasks)
    record = rig.keys.job(job("soon"))
    rig.plain.hincrby(record, "deadline", -60_000)
    soon, late = (await rig.consumer().claim(8, 8)).entries
    assert 0 == soon.remaining_ms
    assert late.remaining_ms is not None
    assert 3_500_000 < late.remaining_ms <= 3_600_000


async def test_cancelled_while_released(rig: QueueRig) -> None:
    """A task that was flagged and then lost its worker is given out with its flag."""
    task, lease = await rig.submitted_and_claimed()
    assert ["flagged"] == await rig.producer.cancel([lease.job])
    rig.age(lease)
    (entry,) = (await rig.consumer("b").reclaim(8)).entries
    assert entry.cancelled
    assert "ok" == await rig.end(lease_of(entry), JobState.CANCELLED, "b")
    assert "cancelled" == rig.state(task)


async def test_damaged(rig: QueueRig) -> None:
    """An entry whose bytes do not match their checksum is told from one that does."""
    await rig.submit(queued_task())
    rig.damage(queued_task())
    (entry,) = (await rig.consumer().claim(8, 8)).entries
    with pytest.raises(Refusal, match="damaged"):
        entry.task()


async def test_another_version(rig: QueueRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry in a version that a consumer does not know waits aside, uncharged, for one that does."""
    tasks = [queued_task(name) for name in ("new", "known")]
    await rig.submit(*tasks)
    rig.damage(tasks[0], v="2")
    claimed = await rig.consumer().claim(8, 8)
    assert ["known"] == [entry.job.task_id for entry in claimed.entries]
    assert 1 == claimed.foreign
    again = await rig.consumer("b").claim(8, 8)
    assert ([], 0) == (again.entries, again.foreign)
    assert {"2": 1} == (await overview(rig.redis, rig.keys)).depths[1].foreign
    monkeypatch.setattr(consumer, "VERSION", "2")
    (entry,) = (await rig.consumer("newer").claim(8, 8)).entries
    assert ("new", 1, "2") == (entry.job.task_id, entry.deliveries, entry.version)


async def test_another_version_is_no_wall(rig: QueueRig) -> None:
    """Behind hundreds of entries in another version whose lease has run out, one of a dead worker is found."""
    await rig.submit(*(queued_task(f"t{n}") for n in range(600)))
    mine = await rig.claimed("dead", 600)
    for one in mine[:-1]:
        rig.plain.xclaim(rig.keys.stream(2), "workers", "version:7", 0, [one.entry], justid=True)
    for one in mine:
        rig.age(one)
    other = rig.consumer("other")
    found = []
    for _ in range(3):
        found += (await other.reclaim(8)).entries
    assert [mine[-1].entry] == [entry.id for entry in found]


async def test_a_version_that_is_none(rig: QueueRig) -> None:
    """An entry whose version cannot be one is given out, and is not a task."""
    await rig.submit(queued_task())
    rig.damage(queued_task(), v="next")
    (entry,) = (await rig.consumer().claim(8, 8)).entries
    with pytest.raises(Refusal, match="not a version"):
        entry.task()


async def test_wait(rig: QueueRig) -> None:
    """A consumer that found nothing is woken by what was added since, even before it began to wait."""
    claimed = await rig.consumer().claim(8, 8)
    await rig.submit(queued_task())
    await rig.consumer().wait(claimed.last, block_ms=LEASE_MS)
    assert 1 == len(await rig.claimed())


async def test_one_suspect_at_a_time(rig: QueueRig) -> None:
    """Of what was delivered twice before no more is given out than wanted, released or run out; the rest waits."""
    tasks = [queued_task(f"t{n}") for n in range(6)]
    await rig.submit(*tasks)
    for number, lease in enumerate(await rig.claimed("gone")):
        if number < 4:
            await rig.release(lease, 2 if number < 3 else 1, "gone")
        else:
            rig.plain.xclaim(
                rig.keys.stream(lease.number), "workers", "gone", 0, [lease.entry], retrycount=2, justid=True
            )
            rig.age(lease)
    worker = rig.consumer("a")

    def given(entries: list[Entry]) -> list[tuple[str, int]]:
        return [(entry.job.task_id, entry.deliveries) for entry in entries]

    assert [("t3", 2)] == given((await worker.claim(8, 8, 0)).entries)
    assert [("t0", 3)] == given((await worker.claim(8, 8, 1)).entries)
    assert [] == given((await worker.reclaim(8, 0)).entries)
    assert [("t4", 3)] == given((await worker.reclaim(8, 1)).entries)
    assert [("t1", 3), ("t2", 3)] == given((await worker.claim(8, 8)).entries)
