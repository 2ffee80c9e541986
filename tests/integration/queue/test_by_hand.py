"""What a hand wrote into a queue costs its job, or stops that queue: no worker, and no other queue."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spanserve.bundle import Bundle
from spanserve.doors.redis.door import RedisDoor
from spanserve.doors.redis.doors import RedisDoors
from spanserve.doors.redis.settings import QueueSettings
from spanserve.engine.state import State
from spanserve.queue import (
    JobId,
    JobState,
    Keys,
    QueueBroken,
    QueueConfig,
    RedisSettings,
    configure,
    overview,
)
from spanserve.queue.calls import Call, evaluate
from tests.integration.queue.test_door import served
from tests.kit.queue_rig import QueueRig, queue_rig, queued_task
from tests.kit.serving import rig as engine_rig
from tests.kit.waiting import eventually

#: Settings and counters that are no numbers, and numbers that cannot be.
FIELDS = (
    ("config", "lease_ms", "abc"),
    ("config", "lease_ms", "1"),
    ("config", "max_tasks", "many"),
    ("config", "max_bytes", "-1"),
    ("config", "max_dead_tasks", "0"),
    ("config", "result_ttl_ms", "1e9"),
    ("load", "questions", "abc"),
    ("load", "bytes", "9" * 30),
    ("dead_load", "bytes", "-7"),
)


@pytest.mark.parametrize(("key", "name", "value"), FIELDS)
async def test_fields(bare: QueueRig, sim_bundle: Bundle, key: str, name: str, value: str) -> None:
    """A queue with a field that is nonsense goes on: tasks are taken and answered, and a new worker finds it usable."""
    await bare.provision()
    bare.plain.hset(getattr(bare.keys, key), name, value)
    async with served(bare, sim_bundle) as made:
        assert ["queued"] == await bare.submit(queued_task("t"))
        assert {"t": "done"} == await made.ended()
        found = await overview(bare.redis, bare.keys)
        assert (key == "config") is bool(found.troubles)
        assert [State.READY] == made.engine.states


RECORDS = (
    {"deadline": "soon"},
    {"class": "three"},
    {"bytes": "abc", "questions": "1.5"},
    {"entry": "now"},
    {"state": "asleep"},
    {"ran": " " * 100},
)


@pytest.mark.parametrize("damage", RECORDS, ids=lambda fields: "-".join(fields))
async def test_records(rig: QueueRig, sim_bundle: Bundle, damage: dict[str, str]) -> None:
    """A record that is nonsense costs at most its job: those behind it are answered, and the queue is empty then."""
    await rig.submit(*(queued_task(f"t{n}") for n in range(5)))
    rig.plain.hset(rig.keys.job(JobId.of(queued_task("t0"))), mapping=damage)
    async with served(rig, sim_bundle) as made:
        assert {f"t{n}": "done" for n in range(1, 5)}.items() <= (await made.ended(4)).items()
        await eventually(lambda: rig.depth() == (0, 0))


async def test_records_of_another_type(rig: QueueRig, sim_bundle: Bundle) -> None:
    """A key of another type in the place of a record makes a dead letter of its entry alone."""
    await rig.submit(*(queued_task(f"t{n}") for n in range(5)))
    key = rig.keys.job(JobId.of(queued_task("t0")))
    rig.plain.delete(key)
    rig.plain.zadd(key, {"a": 1})
    async with served(rig, sim_bundle) as made:
        assert {f"t{n}": "done" for n in range(1, 5)} == await made.ended(4)
        await eventually(lambda: rig.depth() == (0, 0))
    assert [b"no job record"] == [letter["reason"] for letter in rig.dead()]
    rig.plain.delete(key)


@pytest.mark.parametrize("name", ["load", "workers", "dead_load"])
async def test_counters_of_another_type(bare: QueueRig, sim_bundle: Bundle, name: str) -> None:
    """What only counts is made anew where something else is in its place."""
    await bare.provision()
    key = getattr(bare.keys, name)
    bare.plain.delete(key)
    bare.plain.set(key, "x")
    async with served(bare, sim_bundle) as made:
        await bare.submit(queued_task("t"))
        assert {"t": "done"} == await made.ended()
        await eventually(lambda: bare.plain.type(bare.keys.workers) == b"zset")
    bare.plain.delete(key)


#: Where the keys of a job have them.
KEYS_OF_A_RUN = {"results": 3, "events": 4, "tenant": 5}


@pytest.mark.parametrize("quota", [0, 5], ids=lambda quota: f"quota-{quota}")
@pytest.mark.parametrize("name", KEYS_OF_A_RUN)
async def test_keys_of_a_run_of_another_type(
    rig: QueueRig, sim_bundle: Bundle, name: str, quota: int
) -> None:
    """Results, events and the count of a tenant's tasks are made anew where something else is in their place."""
    rig.plain.hset(rig.keys.config, "max_tenant_tasks", quota)
    task = queued_task("t")
    key = rig.keys.of_job(JobId.of(task))[KEYS_OF_A_RUN[name]]
    rig.plain.set(key, "x")
    async with served(rig, sim_bundle):
        assert ["queued"] == await rig.submit(task)
        await eventually(lambda: rig.state(task) == "done")
        assert [("t", "done")] == await rig.events()
        assert {"t"} == set(rig.blobs())
        assert ["ended"] == await rig.submit(task)
        await eventually(lambda: (rig.depth(), rig.load()) == ((0, 0), (0, 0)))


@pytest.mark.parametrize(
    ("break_it", "mend"),
    [
        (lambda rig: rig.plain.set(rig.keys.config, "x"), lambda rig: rig.plain.delete(rig.keys.config)),
        (
            lambda rig: rig.plain.set(rig.keys.streams[1], "x"),
            lambda rig: rig.plain.delete(rig.keys.streams[1]),
        ),
    ],
    ids=["config", "stream"],
)
async def test_keys_of_another_type(
    bare: QueueRig, sim_bundle: Bundle, break_it: Callable[[QueueRig], None], mend: Callable[[QueueRig], None]
) -> None:
    """A queue whose keys are something else is out of order, and its worker says so; it serves another, and takes it up
    again once the keys have gone."""
    break_it(bare)
    redis = RedisSettings(url=bare.server.url)
    async with queue_rig(bare.server, "other") as other, engine_rig(sim_bundle) as engine:
        names = ("q", "other")
        doors = RedisDoors(
            [RedisDoor(engine.inside, QueueSettings(redis=redis, queue=name)) for name in names]
        )
        await doors.check()
        doors.start()
        try:
            broken = engine.metrics.queue_broken.labels
            await eventually(lambda: 1 == broken("q")._value.get())
            assert ["queued"] == await other.submit(queued_task("t"))
            await eventually(lambda: other.state(queued_task("t")) == "done")
            assert 0 == broken("other")._value.get()
            assert [State.READY] == engine.states
            assert (await overview(bare.redis, bare.keys)).troubles
            mend(bare)
            await eventually(lambda: 0 == broken("q")._value.get())
            assert ["queued"] == await bare.submit(queued_task("t"))
            await eventually(lambda: bare.state(queued_task("t")) == "done")
        finally:
            await doors.close("the test ends")
    bare.plain.flushall()


ARGUMENTS = (
    ("3", "00000000", "1", "", "1"),
    ("abc", "00000000", "1", "", "1"),
    ("2", "zz", "1", "", "1"),
    ("2", "00000000", "abc", "", "1"),
    ("2", "00000000", "-1", "", "1"),
    ("2", "00000000", "1000000000000000", "", "1"),
    ("2", "00000000", "1", "nan", "1"),
    ("2", "00000000", "1", "-5", "1"),
    ("2", "00000000", "1", "", "9" * 1000),
    ("2", "00000000", "1", "", ""),
)


@pytest.mark.parametrize("arguments", ARGUMENTS)
async def test_arguments(rig: QueueRig, arguments: tuple[str, ...]) -> None:
    """What submit cannot use it refuses before it has written anything."""
    class_, crc, questions, timeout_ms, version = arguments
    call = Call(
        "submit", rig.keys.of_job(JobId("", "r", "t")), (class_, b"task", crc, questions, timeout_ms, version)
    )
    with pytest.raises(QueueBroken, match="is not"):
        await evaluate(rig.redis, call)
    assert ((0, 0), {}) == (rig.depth(), rig.record(queued_task("t")))


async def test_garbage(rig: QueueRig, sim_bundle: Bundle) -> None:
    """A hundred entries that are no tasks end as dead letters; the worker stays ready, and answers what is behind."""
    await rig.submit(*(queued_task(f"t{n}") for n in range(100)))
    for n in range(100):
        rig.damage(queued_task(f"t{n}"))
    await rig.submit(queued_task("whole"))
    async with served(rig, sim_bundle) as made:
        states = await made.ended(101)
        assert "done" == states.pop("whole")
        assert {"dead"} == set(states.values())
        assert [State.READY] == made.engine.states
        assert made.door.breaker.closed


async def test_room_beside_garbage(
    rig: QueueRig, sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a queue rests after garbage it keeps no room in the worker: all is there for others."""
    monkeypatch.setattr("spanserve.doors.redis.door.GARBAGE_PAUSE_S", 600.0)
    await rig.submit(queued_task("t"))
    rig.damage(queued_task("t"))
    async with served(rig, sim_bundle) as made:
        assert {"t": "dead"} == await made.ended(1)
        await eventually(lambda: made.door._inside.admission.capacity.used == 0)
        assert made.door._reader_task is not None
        made.door._reader_task.cancel()  # which would rest for ten minutes


async def test_bytes_of_no_text(rig: QueueRig, sim_bundle: Bundle) -> None:
    """An entry whose job is not UTF-8, its record made by hand, ends as a dead letter and stops nobody."""
    job = b"\xff/\xfe/\xfd"
    entry = rig.plain.xadd(
        rig.keys.streams[1], {"v": "1", "job": job, "task": b"x", "crc": "0" * 8, "questions": "1"}
    )
    record = {"state": "queued", "entry": entry, "class": "2", "bytes": "1", "questions": "1", "digest": "x"}
    rig.plain.hset(rig.keys.job(JobId("", "", "")).encode()[:-2] + job, mapping=record)
    await rig.submit(queued_task("whole"))
    async with served(rig, sim_bundle):
        await eventually(lambda: rig.state(queued_task("whole")) == "done")
        await eventually(lambda: rig.depth() == (0, 0))
    assert [job] == [letter["job"] for letter in rig.dead()]
    rig.plain.flushall()  # names of keys that are not text


async def test_dead_letters_are_bounded(rig: QueueRig) -> None:
    """Beyond their number, and beyond their bytes, the oldest dead letters go and are counted."""
    await configure(rig.redis, rig.keys, max_dead_tasks=3)
    for _ in range(5):
        _, lease = await rig.submitted_and_claimed()
        await rig.end(lease, JobState.DEAD)
    assert ["r/t2", "r/t3", "r/t4"] == [letter["job"].decode().lstrip("/") for letter in rig.dead()]
    length, bytes_, dropped = await rig.consumer().dead_letters()
    assert (3, 2) == (length, dropped)
    await configure(rig.redis, rig.keys, max_dead_tasks=100, max_dead_bytes=bytes_)
    _, lease = await rig.submitted_and_claimed()
    await rig.end(lease, JobState.DEAD)
    assert (3, 3) == (await rig.consumer().dead_letters())[::2]
    assert bytes_ >= (await rig.consumer().dead_letters())[1]


async def test_dead_letters_by_hand(rig: QueueRig) -> None:
    """With something else in the place of the dead letters, what dies is counted as dropped and ends all the same."""
    rig.plain.set(rig.keys.dead, "x")
    task, lease = await rig.submitted_and_claimed()
    assert "ok" == await rig.end(lease, JobState.DEAD)
    assert "dead" == rig.state(task)
    assert b"1" == rig.plain.hget(rig.keys.dead_load, "dropped")
    rig.plain.delete(rig.keys.dead)


def test_weights() -> None:
    """A queue of a worker is NAME or NAME=WEIGHT."""
    redis, config = RedisSettings(url="redis://h"), QueueConfig()
    assert ("a", 1.0) == ((one := QueueSettings.parse("a", redis, config)).queue, one.weight)
    assert ("a", 2.5) == ((one := QueueSettings.parse("a=2.5", redis, config)).queue, one.weight)
    assert "{q:a}" == Keys(one.queue).tag
