"""Who is given up: what workers died with while they were alone with it, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from spanserve.bundle import Bundle
from spanserve.contract import ErrorCode, Task, TaskResult
from spanserve.contract.limits import MAX_DEATHS
from spanserve.engine.observer import Observer
from spanserve.queue import Consumer, JobId, Lease
from tests.integration.queue.test_door import LEASE_MS, served
from tests.kit.queue_rig import QueueRig
from tests.kit.waiting import eventually

#: More than any count of deliveries that ever meant something.
MANY = 40


async def handed_out(
    rig: QueueRig, deliveries: int, marks: Sequence[str] = (), **task: Any
) -> tuple[Task, Lease]:
    """A task that waits after so many deliveries, begun alone by these consumers that were never heard of again."""
    await rig.provision(lease_ms=LEASE_MS)
    given, lease = await rig.submitted_and_claimed("gone", **task)
    for name in marks:
        assert [True] == await rig.consumer(name).mark([lease.job])
    await rig.release(lease, deliveries, "gone")
    return given, lease


@pytest.mark.parametrize("deaths", range(MAX_DEATHS + 1))
async def test_three_deaths_alone(bare: QueueRig, sim_bundle: Bundle, deaths: int) -> None:
    """However often a task was handed out, it is given up only if three workers died while alone with it."""
    task, _ = await handed_out(bare, MANY, [f"dead-{n}" for n in range(deaths)], questions=2)
    async with served(bare, sim_bundle) as made:
        assert {task.id: "dead" if deaths == MAX_DEATHS else "done"} == await made.ended()
        untouched = made.engine.batcher.entered.locked()
    result = TaskResult.from_bytes(bare.blobs()[task.id])
    errors = [question.error for question in result.questions]
    if deaths < MAX_DEATHS:
        assert [None, None] == errors
    else:
        assert untouched, "it was computed all the same"
        assert {ErrorCode.POISON} == {error.code for error in errors if error is not None}
        (letter,) = bare.dead()
        assert b"3 workers that were alone with it died" in letter["reason"]


@pytest.mark.parametrize(("names", "state"), [(["a"], "done"), (["a", "b"], "dead")], ids=["two", "three"])
async def test_the_mark_of_an_earlier_release_is_one(
    bare: QueueRig, sim_bundle: Bundle, names: list[str], state: str
) -> None:
    """A worker of an earlier release notes no more than that a task was alone once: that counts as one death."""
    task, lease = await handed_out(bare, MANY)
    bare.plain.hset(bare.keys.job(lease.job), "ran", 1)
    for name in names:
        await bare.consumer(name).mark([lease.job])
    async with served(bare, sim_bundle) as made:
        assert {task.id: state} == await made.ended()


async def test_what_is_survived_does_not_count(bare: QueueRig) -> None:
    """A consumer that says that it has survived is struck off, and nobody counts against itself."""
    task, lease = await handed_out(bare, 2)
    one, two = bare.consumer("one"), bare.consumer("two")
    for consumer in (one, one, two, two):  # again: a reply may be lost
        assert [True] == await consumer.mark([lease.job])
    assert [True] == await two.unmark([lease.job])
    (entry,) = (await bare.consumer("three").claim(1, 1)).entries
    assert (1, True) == (entry.ran, entry.suspect)
    await bare.release(lease, 2, "three")
    (entry,) = (await one.claim(1, 1)).entries
    assert 0 == entry.ran
    assert [True] == await one.unmark([lease.job])
    assert [False] == await one.unmark([lease.job])
    assert "ran" not in bare.record(task)
    assert [False] == await one.mark([JobId("", "r", "unheard-of")])


class Alone(Observer):
    """Looks at the record of a task whenever it has the device for itself."""

    def __init__(self, rig: QueueRig, task: Task) -> None:
        self._rig, self._task = rig, task
        self.seen: list[str] = []

    def request_alone(self, request: object) -> None:
        self.seen.append(self._rig.record(self._task).get("ran", ""))


async def test_the_mark_is_there_before_it_begins(
    bare: QueueRig, sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis knows of a suspect before it is tokenised, and before every run that it has the device for."""
    task, _ = await handed_out(bare, 4, questions=3)
    alone, encoded = Alone(bare, task), []
    async with served(bare, sim_bundle) as made:
        made.engine.engine.observers.add(alone)
        sound = made.engine.encoder.encode

        def encode(given: Task) -> Any:
            encoded.append(bare.record(given).get("ran", ""))
            return sound(given)

        monkeypatch.setattr(made.engine.encoder, "encode", encode)
        assert {task.id: "done"} == await made.ended()
        assert [made.door.consumer] == encoded
        assert [made.door.consumer] * 3 == alone.seen  # each of its questions by itself
    assert "ran" not in bare.record(task)


async def test_no_word_for_the_innocent(
    bare: QueueRig, sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of tasks that are no suspects Redis is told nothing before they begin."""
    told: list[JobId] = []

    async def note(consumer: Consumer, script: str, jobs: Sequence[JobId]) -> list[Any]:
        told.extend(jobs)
        return []

    monkeypatch.setattr(Consumer, "_note", note)
    await bare.provision(lease_ms=LEASE_MS)
    leases = [(await bare.submitted_and_claimed("gone"))[1] for _ in range(20)]
    await bare.consumer("gone").release({lease.ref: 1 for lease in leases})  # with one worker that died
    async with served(bare, sim_bundle) as made:
        assert {"done"} == set((await made.ended(20)).values())
    assert [] == told


async def test_given_back_before_redis_knows(
    bare: QueueRig, sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suspect that waits for its mark is given back like any other that has not begun, and leaves no mark."""
    asked, go, told = asyncio.Event(), asyncio.Event(), Consumer.mark

    async def mark(consumer: Consumer, jobs: Sequence[JobId]) -> list[Any]:
        if jobs:
            asked.set()
            await go.wait()
        return await told(consumer, jobs)

    task, lease = await handed_out(bare, 2)
    monkeypatch.setattr(Consumer, "mark", mark)
    async with served(bare, sim_bundle) as made:
        await asked.wait()
        await made.door.drain()
        assert 0 == len(made.door.held)
        go.set()
        await eventually(lambda: bare.owner(lease) == ("released", 2))
        await eventually(lambda: "ran" not in bare.record(task))
