"""The worker's door to a real Redis, inside the test's loop: what it takes in, gives back, and never mixes up."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from spanserve.bundle import Bundle
from spanserve.doors.redis import door as door_module
from spanserve.doors.redis.breaker import ALLOWED_IN_PERIOD, Breaker
from spanserve.doors.redis.door import RedisDoor
from spanserve.doors.redis.settings import QueueSettings
from spanserve.engine.state import State
from spanserve.queue import JobId, NoQueue, QueueConfig, QueueError, RedisSettings, configure
from spanserve.queue.calls import Call, evaluate
from tests.kit.queue_rig import QueueRig, queued_task
from tests.kit.serving import Rig
from tests.kit.serving import rig as engine_rig
from tests.kit.waiting import eventually

LEASE_MS = 1000


@dataclass(slots=True)
class Served:
    """A door on an engine, and the queue it serves."""

    door: RedisDoor
    engine: Rig
    queue: QueueRig

    async def ended(self, count: int = 1) -> dict[str, str]:
        """Wait for so many ends; the state of each task."""

        async def enough() -> bool:
            return len(await self.queue.events()) >= count

        await eventually(enough)
        return dict(await self.queue.events())


@asynccontextmanager
async def served(queue: QueueRig, bundle: Bundle, lease_ms: int = LEASE_MS) -> AsyncIterator[Served]:
    """A door that claims."""
    async with engine_rig(bundle) as engine:
        door = RedisDoor(
            engine.inside,
            QueueSettings(
                redis=RedisSettings(url=queue.server.url),
                queue=queue.keys.name,
                config=QueueConfig(lease_ms=lease_ms),
            ),
        )
        await door.check()
        door.start()
        try:
            yield Served(door, engine, queue)
        finally:
            await door.close("the test ends")


async def held(made: Served, count: int = 1) -> None:
    await eventually(lambda: len(made.door.held) == count)


async def test_answers(bare: QueueRig, sim_bundle: Bundle) -> None:
    """What is submitted is answered, and nothing of it stays in the streams."""
    async with served(bare, sim_bundle) as made:
        await bare.submit(*(queued_task(f"t{n}", questions=3) for n in range(50)))
        assert {f"t{n}": "done" for n in range(50)} == await made.ended(50)
        assert (0, 0) == bare.depth()
    assert [] == bare.plain.zrange(bare.keys.workers, 0, -1)


@pytest.mark.parametrize("damage", [{"crc": "0" * 8}, {"crc": "\ufffd"}], ids=["wrong", "unreadable"])
async def test_a_damaged_entry_is_buried_alone(
    rig: QueueRig, sim_bundle: Bundle, damage: dict[str, str]
) -> None:
    """An entry that cannot be read ends among the dead letters; those claimed with it are answered."""
    tasks = [queued_task(f"t{n}") for n in range(9)]
    await rig.submit(*tasks)
    rig.damage(tasks[4], **damage)
    async with served(rig, sim_bundle) as made:
        states = await made.ended(9)
    assert {f"t{n}": "dead" if n == 4 else "done" for n in range(9)} == states
    assert 1 == len(rig.dead())


async def test_an_unknown_version_is_left_for_others(rig: QueueRig, sim_bundle: Bundle) -> None:
    """An entry in a newer version is not computed, not dead, and counted once."""
    new, known = queued_task("new"), queued_task("known")
    await rig.submit(new, known)
    rig.damage(new, v="2")
    async with served(rig, sim_bundle) as made:
        assert {"known": "done"} == await made.ended(1)
        assert 1 == made.engine.metrics.queue_put_aside.labels("q", "version")._value.get()
    assert "queued" == rig.state(new)


async def test_an_old_request_does_not_speak_for_a_new_lease(bare: QueueRig, sim_bundle: Bundle) -> None:
    """A task that was lost and comes back is answered, though its first request was withdrawn meanwhile."""
    async with served(bare, sim_bundle) as made:
        slots = made.engine.block()
        await bare.submit(queued_task("t"))
        await held(made)
        (lease,) = [one.lease for one in made.door.held.all()]
        stream = bare.keys.stream(lease.number)
        bare.plain.xclaim(stream, "workers", "thief", 0, [lease.entry])
        await eventually(lambda: all(one.lost for one in made.door.held.all()))
        assert await bare.release(lease, 0, "thief") is True
        await eventually(lambda: [False] == [one.lost for one in made.door.held.all()])
        for slot in slots:
            slot.release()
        await bare.submit(queued_task("next"))  # what comes in makes the engine look at its slots
        assert {"t": "done", "next": "done"} == await made.ended(2)
        assert (0, 0) == bare.depth()
        await eventually(made.engine.engine.idle.is_set)
        assert 0 == made.engine.engine.held_windows


async def test_what_a_lost_reply_leased_is_recovered(bare: QueueRig, sim_bundle: Bundle) -> None:
    """Entries leased under the door's name that it does not have are given back and done, while it lives."""
    async with served(bare, sim_bundle) as made:
        slots = made.engine.block()
        await bare.submit(*(queued_task(f"t{n}") for n in range(3)))
        await held(made, 3)
        for lease in [one.lease for one in made.door.held.all()]:
            (one,) = [one for one in made.door.held.all() if one.lease == lease]
            made.door._intake.drop(one)  # as if the claim's reply had never come
        for slot in slots:
            slot.release()
        assert {f"t{n}": "done" for n in range(3)} == await made.ended(3)


async def test_time_from_the_queue_to_the_end(bare: QueueRig, sim_bundle: Bundle) -> None:
    """The time of a task counts from its entry in the queue once Redis knows its end, and apart in the worker."""
    async with served(bare, sim_bundle) as made:
        await bare.submit(queued_task("t"))
        assert {"t": "done"} == await made.ended(1)
        sample, bulk = made.engine.metrics.registry.get_sample_value, {"priority": "bulk"}
        await eventually(lambda: sample("spanserve_queue_task_seconds_count", bulk) == 1)
        assert 1 == sample("spanserve_task_seconds_count", bulk)
        longest = {"priority": "bulk", "le": "600.0"}
        assert 1 == sample("spanserve_queue_task_seconds_bucket", longest)


async def test_a_worker_in_doubt_leaves_its_tasks_to_others(bare: QueueRig, sim_bundle: Bundle) -> None:
    """While faults keep a worker from claiming it gives back what has not run, and stays ready for others."""
    async with served(bare, sim_bundle) as made:
        slots = made.engine.block()
        await bare.submit(*(queued_task(f"t{n}") for n in range(3)))
        await held(made, 3)
        for _ in range(ALLOWED_IN_PERIOD + 1):
            made.door.breaker.note(fault=True)
        await held(made, 0)
        assert 1 == made.engine.metrics.queue_breaker_open.labels("q")._value.get()
        made.door.breaker = Breaker(time.monotonic)  # as after a trial that went well
        for slot in slots:
            slot.release()
        assert dict.fromkeys(("t0", "t1", "t2"), "done") == await made.ended(3)
        assert [State.READY] == made.engine.states
        assert 0 == made.engine.metrics.queue_breaker_open.labels("q")._value.get()


async def test_shutdown_without_redis(
    bare: QueueRig, sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Redis away the door closes in its time, and raises nothing."""
    monkeypatch.setattr(door_module, "CLOSE_GRACE_S", 0.5)
    async with served(bare, sim_bundle) as made:
        await bare.submit(queued_task("t"))
        await made.ended()
        with bare.server.frozen():
            began = time.monotonic()
            await made.door.close("the test ends")
            assert time.monotonic() - began < 30


async def test_the_lease_is_not_shortened_under_workers(bare: QueueRig, sim_bundle: Bundle) -> None:
    """A shorter lease is refused while a worker is seen; a longer one it takes up."""
    with pytest.raises(NoQueue):
        await configure(bare.redis, bare.keys, lease_ms=2 * LEASE_MS)
    async with served(bare, sim_bundle) as made:
        await eventually(lambda: bool(bare.plain.zcard(bare.keys.workers)))
        with pytest.raises(QueueError, match="only be set while no worker is seen"):
            await configure(bare.redis, bare.keys, lease_ms=LEASE_MS // 2)
        await configure(bare.redis, bare.keys, lease_ms=2 * LEASE_MS)
        await eventually(lambda: 2 * LEASE_MS / 1000 == made.door._lease_s)
    await configure(bare.redis, bare.keys, lease_ms=LEASE_MS)


async def test_an_empty_queue_has_no_load(bare: QueueRig) -> None:
    """Entries that somebody trimmed do not count against the limit for ever."""
    await bare.provision(max_bytes=200)
    first = queued_task("first", context="word " * 20)
    assert ["queued"] == await bare.submit(first)
    assert ["resource_exhausted max_bytes"] == await bare.submit(queued_task("second", context="word " * 20))
    bare.trim(first)
    assert ["queued"] == await bare.submit(queued_task("second", context="word " * 20))
    assert 1 == bare.load()[1]


async def test_a_key_that_names_no_job_is_refused(rig: QueueRig) -> None:
    """A producer of its own making cannot queue what no worker could read."""

    async def submit(job: str, crc: str) -> None:
        keys = [f"{rig.keys.tag}:job:{job}", *rig.keys.of_job(JobId("", "r", "t"))[1:]]
        await evaluate(rig.redis, Call("submit", keys, (2, b"task", crc, 1, "", "1")))

    for job in ("a/b/c/d", "a/b", "a/b/"):
        with pytest.raises(QueueError, match="tenant/run/task"):
            await submit(job, "00000000")
    with pytest.raises(QueueError, match="8 hexadecimal digits"):
        await submit("a/b/c", "0000")
    assert (0, 0) == rig.depth()
