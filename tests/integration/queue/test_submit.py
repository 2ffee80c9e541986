"""Submitting: a job is queued once, however often it is sent, and never past the limits."""

from __future__ import annotations

import dataclasses

import pytest

from spanserve.contract import ErrorCode, Priority, Refusal
from spanserve.contract.trace import MAX_TEXT, TraceContext
from spanserve.queue import End, JobId, JobState, NoQueue, Submitted, read_config
from spanserve.queue.calls import previous_script
from spanserve.queue.entry import VERSION, crc_of
from tests.kit.queue_rig import QueueRig, queued_task, result_of

SIZE = len(queued_task().to_bytes())


async def test_queued(rig: QueueRig) -> None:
    """A submitted task is one entry of its class, one record and its share of the load."""
    tasks = [queued_task("a", questions=3), queued_task("b", priority=Priority.INTERACTIVE)]
    assert ["queued"] * 2 == await rig.submit(*tasks)
    assert (1, 1) == tuple(rig.plain.xlen(stream) for stream in rig.keys.streams)
    assert (sum(len(task.to_bytes()) for task in tasks), 4) == rig.load()
    assert ["queued"] * 2 == [rig.state(task) for task in tasks]
    assert [] == await rig.events()


async def test_submitted_again(rig: QueueRig) -> None:
    """A task that waits or is leased is known, and nothing is added."""
    task = queued_task()
    assert ["queued", "known"] == await rig.submit(task) + await rig.submit(task)
    (lease,) = await rig.claimed()
    assert ["known"] == await rig.submit(task)
    assert (1, 1) == rig.depth()
    assert (SIZE, 1) == rig.load()
    assert ("a", 1) == rig.owner(lease)


async def test_traces(rig: QueueRig) -> None:
    """A task is known whatever trace it comes in, and its entry keeps the first; none at all is as good."""
    first, other = TraceContext("1" * 32, "2" * 16, 1, "a=1"), TraceContext("3" * 32, "4" * 16)
    task, plain = queued_task(), queued_task("plain")
    assert [Submitted.QUEUED] == await rig.producer.submit([task], lambda task: first)
    assert [Submitted.KNOWN] == await rig.producer.submit([task], lambda task: other)
    assert [Submitted.KNOWN, Submitted.QUEUED] == await rig.producer.submit([task, plain])
    claimed = (await rig.consumer().claim(8, 8)).entries
    assert [(task, first.text), (plain, "")] == [(entry.task(), entry.trace) for entry in claimed]
    assert (len(task.to_bytes()) + len(plain.to_bytes()), 2) == rig.load()


async def test_a_trace_that_is_too_long(rig: QueueRig) -> None:
    """A trace that no client of ours would send is left out, and its task is queued."""
    endless = TraceContext("1" * 32, "2" * 16, 1, "x" * MAX_TEXT)
    assert [Submitted.QUEUED] == await rig.producer.submit([queued_task()], lambda task: endless)
    (entry,) = (await rig.consumer().claim(8, 8)).entries
    assert "" == entry.trace


async def test_a_producer_of_the_release_before(rig: QueueRig) -> None:
    """Its script queues tasks for workers of this release, and knows one that this release has queued in a trace."""
    traced, plain = queued_task("traced"), queued_task("plain")
    await rig.producer.submit([traced], lambda task: TraceContext("1" * 32, "2" * 16))
    before = rig.plain.register_script(previous_script("submit").body)
    replies = []
    for task in (traced, plain):
        data = task.to_bytes()
        replies.append(before(rig.keys.of_job(JobId.of(task)), (2, data, crc_of(data), 1, "", VERSION))[0])
    assert [b"known", b"queued"] == replies
    claimed = (await rig.consumer().claim(8, 8)).entries
    assert [(traced, 55), (plain, 0)] == [(entry.task(), len(entry.trace)) for entry in claimed]


async def test_twice_in_one_call(rig: QueueRig) -> None:
    """The same task twice in one round trip is one job."""
    assert ["queued", "known"] == await rig.submit(queued_task(), queued_task())
    assert (1, 0) == rig.depth()


async def test_more_than_one_round_trip(rig: QueueRig) -> None:
    """Outcomes keep the order of the tasks over as many round trips as they take."""
    tasks = [queued_task(f"t{n}") for n in range(150)]
    await rig.submit(*tasks[::2])
    assert ["known", "queued"] * 75 == await rig.submit(*tasks)


async def test_another_task_with_the_id(rig: QueueRig) -> None:
    """An id that stands for another task is refused, queued or ended."""
    task, lease = await rig.submitted_and_claimed()
    other = dataclasses.replace(task, context="Another.")
    assert ["already_exists id"] == await rig.submit(other)
    await rig.end(lease)
    assert ["already_exists id"] == await rig.submit(other)
    assert (0, 0) == rig.depth()


async def test_the_same_id_elsewhere(rig: QueueRig) -> None:
    """A task of another run or tenant is another job, whatever its id."""
    tasks = [queued_task(), queued_task(run_id="s"), queued_task(run_id=""), queued_task(tenant="x")]
    assert ["queued"] * 4 == await rig.submit(*tasks)


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.DEAD], ids=str)
async def test_ended(rig: QueueRig, state: JobState) -> None:
    """A task that has ended is not queued again; once its result is gone that is said."""
    task, lease = await rig.submitted_and_claimed()
    await rig.end(lease, state)
    assert ["ended"] == await rig.submit(task)
    rig.plain.delete(rig.keys.results("", "r"))
    assert ["forgotten"] == await rig.submit(task)
    assert (0, 0) == rig.depth()


async def test_trimmed_while_it_waited(rig: QueueRig) -> None:
    """A task whose entry somebody trimmed gets another at the next submit."""
    task = queued_task()
    await rig.submit(task)
    rig.trim(task)
    assert ["restored", "known"] == await rig.submit(task) + await rig.submit(task)
    assert (SIZE, 1) == rig.load()
    (lease,) = await rig.claimed()
    assert "ok" == await rig.end(lease)
    assert (0, 0) == rig.depth()


async def test_trimmed_while_it_was_leased(rig: QueueRig) -> None:
    """A leased task whose entry was trimmed gets another; who held the old one may still finish, once."""
    task, lease = await rig.submitted_and_claimed()
    rig.trim(task)
    assert ["restored"] == await rig.submit(task)
    (again,) = await rig.claimed("b")
    assert ["ok", "dup"] == [await rig.end(lease), await rig.end(again, name="b")]
    assert [(task.id, "done")] == await rig.events()
    assert (0, 0) == rig.depth()


async def test_ghost(rig: QueueRig) -> None:
    """A task whose consumer an operator deleted is nobody's; the next submit queues it again."""
    task, _ = await rig.submitted_and_claimed()
    rig.plain.xgroup_delconsumer(rig.keys.stream(2), "workers", "a")
    assert [] == await rig.claimed("b")
    assert ["restored"] == await rig.submit(task)
    (again,) = await rig.claimed("b")
    assert "ok" == await rig.end(again, name="b")
    assert (0, 0) == rig.depth()


async def test_missing(bare: QueueRig) -> None:
    """Nothing can be submitted to a queue that nobody made, and trying makes no key."""
    (outcome,) = await bare.producer.submit([queued_task()])
    assert isinstance(outcome, NoQueue)
    assert [] == bare.plain.keys()


async def test_provisioned_again(bare: QueueRig) -> None:
    """A queue is made once: who comes later finds its settings and its entries."""
    first = await bare.provision(max_tasks=7)
    await bare.submit(queued_task())
    assert first == await bare.provision(max_tasks=8, lease_ms=500)
    assert first == await read_config(bare.redis, bare.keys)
    assert (1, 0) == bare.depth()


BUSY = {
    "max_tasks": ({"max_tasks": 2}, "2"),
    "max_bytes": ({"max_bytes": 3 * SIZE - 1}, str(2 * SIZE)),
    "max_tenant_tasks": ({"max_tenant_tasks": 2}, "2"),
}


@pytest.mark.parametrize("name", BUSY)
async def test_busy(bare: QueueRig, name: str) -> None:
    """Over a limit a new task is refused with it and a time to wait; known ones, and what fits later, are not."""
    limits, value = BUSY[name]
    await bare.provision(**limits)
    tasks = [queued_task(f"{n}") for n in range(4)]
    assert SIZE == len(tasks[0].to_bytes())
    outcomes = await bare.producer.submit(tasks)
    assert ["queued"] * 2 == outcomes[:2]
    for refused in outcomes[2:]:
        assert isinstance(refused, Refusal)
        assert (ErrorCode.RESOURCE_EXHAUSTED, name, value) == (refused.code, refused.field, refused.value)
        assert (refused.retry_after_ms or 0) > 0
    assert [None, None] == [bare.state(task) for task in tasks[2:]]
    assert ["known"] == await bare.submit(tasks[0])
    lease, *_ = await bare.claimed()
    assert "ok" == await bare.end(lease)
    assert ["queued"] == await bare.submit(tasks[2])


async def test_quota_is_per_tenant(bare: QueueRig) -> None:
    """A tenant at its quota does not keep another from submitting."""
    await bare.provision(max_tenant_tasks=1)
    tasks = [queued_task(name, tenant=tenant) for tenant in ("x", "y") for name in ("a", "b")]
    busy = "resource_exhausted max_tenant_tasks"
    assert ["queued", busy, "queued", busy] == await bare.submit(*tasks)


async def test_too_large(rig: QueueRig) -> None:
    """A task that would not fit an entry is refused before it is sent; its neighbours are not."""
    big = queued_task("big", questions=64, context="x" * (48 * 1024))
    big = dataclasses.replace(
        big, questions=tuple(dataclasses.replace(question, text="Who? " * 100) for question in big.questions)
    )
    assert ["out_of_range task", "queued"] == await rig.submit(big, queued_task())


async def test_result_and_state(rig: QueueRig) -> None:
    """A producer learns of the end by an event, then fetches the result; before, there is neither."""
    task, lease = await rig.submitted_and_claimed()
    job = JobId.of(task)
    assert JobState.QUEUED is await rig.producer.state(job)
    assert {} == await rig.producer.results("", "r", [task.id])
    result = result_of(task)
    await rig.consumer().end([End(lease, JobState.DONE, result.to_bytes())])
    assert JobState.DONE is await rig.producer.state(job)
    assert {task.id: result} == await rig.producer.results("", "r", [task.id, "other"])
    (event,) = await rig.producer.events("", "r")
    assert [] == await rig.producer.events("", "r", event.cursor)
