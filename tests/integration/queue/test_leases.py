"""Leases: kept by renewing, lost by silence, given back at will; and only their holder can do either."""

from __future__ import annotations

import pytest

from spanserve.contract import Priority
from spanserve.queue import Lease
from tests.kit.queue_rig import LEASE_MS, QueueRig, lease_of, queued_task


def idle_ms(rig: QueueRig, lease: Lease) -> int:
    (pending,) = rig.plain.xpending_range(
        rig.keys.stream(lease.number), "workers", lease.entry, lease.entry, 1
    )
    return int(pending["time_since_delivered"])


async def test_renew(rig: QueueRig) -> None:
    """A renewed lease starts anew, and its deliveries stay."""
    _, lease = await rig.submitted_and_claimed()
    rig.age(lease)
    assert (set(), set()) == await rig.consumer().renew([lease])
    assert idle_ms(rig, lease) < LEASE_MS
    assert ("a", 1) == rig.owner(lease)
    assert [] == (await rig.consumer("b").reclaim(8)).entries


async def test_renew_many(rig: QueueRig) -> None:
    """Leases of both classes are renewed over as many round trips as they take."""
    tasks = [queued_task(f"{p.name}{n}", priority=p) for p in Priority for n in range(100)]
    await rig.submit(*tasks)
    leases = await rig.claimed(count=200)
    for lease in leases[::17]:
        rig.age(lease)
    assert (set(), set()) == await rig.consumer().renew(leases)
    assert all(idle_ms(rig, lease) < LEASE_MS for lease in leases)


async def test_renew_what_was_lost(rig: QueueRig) -> None:
    """Who lost a lease is told when it renews, and takes nothing back."""
    (_, mine), (_, lost), (_, ended) = [await rig.submitted_and_claimed() for _ in range(3)]
    rig.age(lost)
    assert [lost] == [lease_of(entry) for entry in (await rig.consumer("b").reclaim(8)).entries]
    await rig.end(ended)
    assert ({lost, ended}, set()) == await rig.consumer().renew([mine, lost, ended])
    assert ("b", 2) == rig.owner(lost)
    assert ("a", 1) == rig.owner(mine)


async def test_renew_what_was_cancelled(rig: QueueRig) -> None:
    """A worker learns when it renews what is to be cancelled."""
    (_, mine), (_, flagged) = [await rig.submitted_and_claimed() for _ in range(2)]
    assert ["flagged"] == await rig.producer.cancel([flagged.job])
    assert (set(), {flagged}) == await rig.consumer().renew([mine, flagged])


async def test_reclaim(rig: QueueRig) -> None:
    """A lease that ran out goes to whoever asks first, as one more delivery; one that did not stays."""
    (_, fresh), (_, old) = [await rig.submitted_and_claimed() for _ in range(2)]
    rig.age(old, LEASE_MS - 10_000)
    assert [] == (await rig.consumer("b").reclaim(8)).entries
    rig.age(old)
    (entry,) = (await rig.consumer("b").reclaim(8)).entries
    assert (old, 2) == (lease_of(entry), entry.deliveries)
    assert [] == (await rig.consumer("c").reclaim(8)).entries
    assert (("a", 1), ("b", 2)) == (rig.owner(fresh), rig.owner(old))


async def test_reclaim_is_bounded(rig: QueueRig) -> None:
    """No more is reclaimed than was asked for."""
    await rig.submit(*(queued_task(f"t{n}") for n in range(10)))
    for lease in await rig.claimed():
        rig.age(lease)
    given = [len((await rig.consumer("b").reclaim(4)).entries) for _ in range(4)]
    assert [4, 4, 2, 0] == given


async def test_reclaim_takes_nothing_from_oneself(rig: QueueRig) -> None:
    """A worker that was slow to renew is not given its own entries a second time."""
    _, lease = await rig.submitted_and_claimed()
    rig.age(lease)
    assert [] == (await rig.consumer().reclaim(8)).entries
    assert ("a", 1) == rig.owner(lease)


@pytest.mark.parametrize("place", [0, 100, 199], ids=["first", "middle", "last"])
async def test_a_dead_entry_among_living_ones(rig: QueueRig, place: int) -> None:
    """One lease that ran out is found among two hundred living ones, with room for one."""
    await rig.submit(*(queued_task(f"t{n}") for n in range(200)))
    leases = await rig.claimed(count=200)
    rig.age(leases[place])
    assert [leases[place]] == [lease_of(entry) for entry in (await rig.consumer("b").reclaim(1)).entries]


@pytest.mark.parametrize("finder", ["a", "b"], ids=["its-holder", "another"])
async def test_reclaim_of_what_was_trimmed(rig: QueueRig, finder: str) -> None:
    """A lease whose entry somebody trimmed is dropped and counted, also a worker's own; a submit restores the task."""
    task, lease = await rig.submitted_and_claimed()
    rig.age(lease)
    rig.trim(task)
    claimed = await rig.consumer(finder).reclaim(8)
    assert ([], 1) == (claimed.entries, claimed.trimmed)
    assert (0, 0) == rig.depth()
    assert ["restored"] == await rig.submit(task)


async def test_release(rig: QueueRig) -> None:
    """What is given back can be had at once, and the delivery is not charged."""
    _, lease = await rig.submitted_and_claimed()
    assert await rig.release(lease) is True
    assert await rig.release(lease) is False
    (entry,) = (await rig.consumer("b").claim(8, 8)).entries
    assert (lease, 1) == (lease_of(entry), entry.deliveries)


async def test_release_charges_what_it_is_told(rig: QueueRig) -> None:
    """Whoever gives an entry back says how many deliveries it had."""
    _, lease = await rig.submitted_and_claimed()
    await rig.release(lease, 3)
    (entry,) = (await rig.consumer("b").claim(8, 8)).entries
    assert 4 == entry.deliveries


async def test_release_of_what_was_lost(rig: QueueRig) -> None:
    """Who lost a lease cannot give it back."""
    _, lease = await rig.submitted_and_claimed()
    rig.age(lease)
    await rig.consumer("b").reclaim(8)
    assert await rig.release(lease) is False
    assert ("b", 2) == rig.owner(lease)


async def test_owned(rig: QueueRig) -> None:
    """A worker can ask what is leased to it: also what it was given by a reply that got lost."""
    _, lease = await rig.submitted_and_claimed()
    await rig.submitted_and_claimed("b")
    assert {lease.ref: 1} == await rig.consumer().owned()


async def test_leave(rig: QueueRig) -> None:
    """A worker that holds nothing goes without a trace; one that holds something stays until it is taken."""
    _, lease = await rig.submitted_and_claimed()
    await rig.submit(queued_task("other"))
    await rig.claimed("b")
    await rig.consumer("b").beat({"held": 1})
    await rig.consumer("a").leave()
    assert ("a", 1) == rig.owner(lease)
    await rig.end(lease)
    await rig.consumer("a").leave()
    names = {consumer["name"] for consumer in rig.plain.xinfo_consumers(rig.keys.stream(2), "workers")}
    assert {b"b"} == names
    await rig.consumer("b").leave()
    assert (None, {}) == (
        rig.plain.zscore(rig.keys.workers, "b"),
        rig.plain.hgetall(rig.keys.worker("b")),
    )
    assert (1, 1) == rig.depth()  # its lease outlives its name in the registry


async def test_beat(bare: QueueRig) -> None:
    """A worker is known for as long as it shows signs of life: three leases."""
    await bare.provision(lease_ms=20_000)
    await bare.consumer().beat({"device": "sim:fixed", "held": 3})
    facts = bare.plain.hgetall(bare.keys.worker("a"))
    assert (b"sim:fixed", b"3") == (facts[b"device"], facts[b"held"])
    assert int(facts[b"seen"]) == int(bare.plain.zscore(bare.keys.workers, "a"))
    assert 50_000 < bare.plain.pttl(bare.keys.worker("a")) <= 60_000
