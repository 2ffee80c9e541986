"""What clients and operators ask of running workers: withdraw, hurry, come first, come in crowds, restart."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable

import pytest

from spanserve.contract import ErrorCode, Priority
from spanserve.queue import JobId, consumer
from tests.faults.faulty_worker import Faults
from tests.faults.oracle import Ledger
from tests.faults.queue_fleet import RUN, QueueFleet, single_tasks
from tests.kit.bundles import POISON_ID
from tests.kit.processes import WorkerProcess
from tests.kit.waiting import eventually

MakeFleet = Callable[..., Awaitable[QueueFleet]]

SLOW = "sim:fixed?latency_ms=100"


def errors(ledger: Ledger) -> list[ErrorCode]:
    """Kinds of error among the outcomes."""
    questions = (question for result in ledger.first.values() for question in result.questions)
    return [question.error.code for question in questions if question.error is not None]


async def test_rolling_restarts(make_fleet: MakeFleet) -> None:
    """Workers that are told to stop under load give back what they have not begun: nothing is run twice or charged."""
    fleet = await make_fleet(device="sim:fixed?latency_ms=50", lease_s=600.0)
    workers = [fleet.worker() for _ in range(2)]
    await fleet.ready(*workers)
    async with fleet.evaluation(single_tasks(600)) as evaluation:
        for number in range(3):
            await evaluation.reached(0.1 + 0.2 * number)
            leaving = workers.pop(0)
            await fleet.ready(leaving)
            leaving.signal(signal.SIGTERM)
            workers.append(fleet.worker())
            assert 0 == await asyncio.to_thread(leaving.wait)
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger)
    assert 0 == classes.duplicate_executions
    assert {1} == {line["deliveries"] for line in fleet.journal.of("start")}


@pytest.mark.long
async def test_a_hundred_rolling_restarts(make_fleet: MakeFleet) -> None:
    """D38: however often. A lease is ten minutes long here: what is not given back at once is missed."""
    fleet = await make_fleet(device="sim:fixed?latency_ms=200", lease_s=600.0)
    workers = [fleet.worker(), fleet.worker()]
    ledger = Ledger([])
    for number in range(50):
        new = [fleet.worker(), fleet.worker()]
        await fleet.ready(*workers, *new)
        async with fleet.evaluation(single_tasks(200, f"r{number}-")) as evaluation:
            for leaving in workers:
                await evaluation.reached(0.05)
                leaving.signal(signal.SIGTERM)
                assert 0 == await asyncio.to_thread(leaving.wait)
            found = await evaluation.ended()
        workers = new
        ledger.tasks += found.tasks
        ledger.first |= found.first
        ledger.again += found.again
    classes = await fleet.check(ledger)
    assert 0 == classes.duplicate_executions
    assert {1} == {line["deliveries"] for line in fleet.journal.of("start")}


async def told_once(worker: WorkerProcess) -> None:
    worker.signal(signal.SIGTERM)


async def told_twice(worker: WorkerProcess) -> None:
    worker.signal(signal.SIGTERM)
    await asyncio.to_thread(worker.wait_for, "told to stop")
    worker.signal(signal.SIGTERM)


STOPS = {
    "twice": (Faults(late_s=600.0), "sim:fixed", told_twice),
    "with a device that hangs": (Faults(), f"sim:fixed?hang_id={POISON_ID}", told_once),
}


@pytest.mark.parametrize("name", STOPS)
async def test_a_hasty_stop(make_fleet: MakeFleet, name: str) -> None:
    """A worker that may not finish gives back all it holds, and others have it at once."""
    faults, device, stop = STOPS[name]
    fleet = await make_fleet(lease_s=600.0)
    worker = fleet.worker("--drain-timeout", "1", device=device, faults=faults)
    await fleet.ready(worker)
    async with fleet.evaluation(single_tasks(40, context="A poison said")) as evaluation:
        await eventually(lambda: bool(fleet.journal.of("start")))
        await stop(worker)
        assert 1 == await asyncio.to_thread(worker.wait)
        fleet.worker()
        ledger = await evaluation.ended()
    await fleet.check(ledger)


async def test_a_stop_while_it_loads(make_fleet: MakeFleet) -> None:
    """A worker that is told to stop before it is ready has touched nothing."""
    fleet = await make_fleet()
    worker = fleet.worker(device="sim:fixed?latency_ms=2000")
    await asyncio.to_thread(worker.wait_for, "listening")
    async with fleet.evaluation(single_tasks(20)) as evaluation:
        worker.signal(signal.SIGTERM)
        assert 0 == await asyncio.to_thread(worker.wait)
        fleet.worker()
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger)
    assert 0 == classes.duplicate_executions


async def test_cancel_against_workers(make_fleet: MakeFleet) -> None:
    """Of a thousand tasks, half of them cancelled in any order while workers compute, each has exactly one end."""
    fleet = await make_fleet(device="sim:fixed?latency_ms=30")
    await fleet.ready(*(fleet.worker() for _ in range(2)))
    tasks = single_tasks(1000)
    chosen = random.Random(40).sample(tasks, 500)
    async with fleet.evaluation(tasks) as evaluation:
        for first in range(0, 500, 50):
            await evaluation.reached(first / 2000)
            await fleet.rig.producer.cancel([JobId.of(task) for task in chosen[first : first + 50]])
        ledger = await evaluation.ended()
    cancelled = errors(ledger)
    assert {ErrorCode.CANCELLED} == set(cancelled)
    await fleet.check(ledger, unanswered=len(cancelled))
    events = await fleet.rig.events(RUN)
    assert len(cancelled) == sum(state == "cancelled" for _, state in events)
    print(f"{len(cancelled)} of 500 cancelled in time, {1000 - len(cancelled)} done")


NEVER_RUN = {
    "cancelled while they wait": (None, ErrorCode.CANCELLED),
    "past their deadlines": (200, ErrorCode.DEADLINE_EXCEEDED),
}


@pytest.mark.parametrize("name", NEVER_RUN)
async def test_never_run(make_fleet: MakeFleet, name: str) -> None:
    """Tasks that are cancelled, or late, before a worker comes are never computed; their neighbours are."""
    timeout_ms, expected = NEVER_RUN[name]
    fleet = await make_fleet()
    unwanted = single_tasks(50, "u", timeout_ms=timeout_ms)
    async with fleet.evaluation(unwanted + single_tasks(50)) as evaluation:
        await eventually(lambda: fleet.rig.depth() == (100, 0))
        if timeout_ms is None:
            await fleet.rig.producer.cancel([JobId.of(task) for task in unwanted])
        else:
            await asyncio.sleep(timeout_ms / 1000)
        fleet.worker()
        ledger = await evaluation.ended()
    assert [expected] * 50 == errors(ledger)
    await fleet.check(ledger, unanswered=50)
    assert {task.id for task in ledger.tasks[50:]} == {
        line["job"].rpartition("/")[2] for line in fleet.journal.of("start")
    }


async def test_deadlines_shorter_than_the_queue(make_fleet: MakeFleet) -> None:
    """Of tasks that cannot all be computed in time none is begun after its deadline."""
    fleet = await make_fleet(device="sim:fixed?latency_ms=200")
    await fleet.ready(fleet.worker())
    async with fleet.evaluation(single_tasks(400, timeout_ms=1500)) as evaluation:
        ledger = await evaluation.ended()
    late = errors(ledger)
    assert {ErrorCode.DEADLINE_EXCEEDED} == set(late)
    classes = await fleet.check(ledger, unanswered=len(late))
    assert len(late) <= 400 - len(fleet.journal.executions)
    print(f"{len(late)} of 400 expired, {classes}")


async def test_a_crowd_of_producers(make_fleet: MakeFleet) -> None:
    """D43: ten producers on a small queue are told BUSY and when to come back; it never holds more than it may.

    All they have is ten times that: with producers that are not held back the deepest would be far more than a tenth.
    """
    fleet = await make_fleet(config={"max_tasks": 60})
    await fleet.ready(fleet.worker())
    ledger = Ledger([])
    deepest = heaviest = busy = 0
    async with asyncio.TaskGroup() as group:

        async def produce(number: int) -> None:
            async with fleet.evaluation(single_tasks(60, f"p{number}-")) as evaluation:
                found = await evaluation.ended()
            ledger.tasks += found.tasks
            ledger.first |= found.first
            ledger.again += found.again
            nonlocal busy
            busy += found.busy

        producing = [group.create_task(produce(number)) for number in range(10)]
        while not all(task.done() for task in producing):
            deepest = max(deepest, fleet.rig.depth()[0])
            heaviest = max(heaviest, fleet.rig.load()[0])
            await asyncio.sleep(0.01)
    assert deepest <= 60
    assert busy > 0
    share = heaviest / sum(len(task.to_bytes()) for task in ledger.tasks)
    assert share <= 0.11  # a tenth, and tasks differ by a digit
    print(f"at most {deepest} tasks and {share:.1%} of all bytes, BUSY {busy} times")
    classes = await fleet.check(ledger)
    assert 0 == classes.duplicate_executions


async def test_a_flood_of_interactive_tasks(make_fleet: MakeFleet) -> None:
    """While tasks of both classes wait, each is computed by its weight: bulk has a quarter, and never starves."""
    fleet = await make_fleet(device="sim:fixed?latency_ms=50")
    bulk = single_tasks(120, "b")
    interactive = single_tasks(600, "i", priority=Priority.INTERACTIVE)
    async with fleet.evaluation(interactive + bulk) as evaluation:
        await eventually(lambda: fleet.rig.depth() == (720, 0))
        fleet.worker()
        ledger = await evaluation.ended()
    await fleet.check(ledger)
    began = [line["job"].rpartition("/")[2][0] for line in fleet.journal.of("start")]
    last_bulk = len(began) - began[::-1].index("b")
    assert last_bulk < 720  # not after all the others
    share = 120 / last_bulk
    assert 0.2 <= share <= 0.4
    print(f"bulk had {share:.0%} while both waited")


async def test_entries_of_another_version(make_fleet: MakeFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries of a version that a worker does not know it leaves to newer ones, and does not turn in circles."""
    fleet = await make_fleet()
    strange, known = single_tasks(5, "s"), single_tasks(100)
    assert {"queued"} == set(await fleet.rig.submit(*strange))
    for task in strange:
        fleet.rig.damage(task, v="2")
    worker = fleet.worker()
    await fleet.ready(
        worker
    )  # while nobody answers, the client submits again and again, and these calls count
    async with fleet.evaluation(known) as evaluation:
        ledger = await evaluation.ended()
    assert len(known) == len(ledger.first)
    assert [] == fleet.rig.dead()
    assert 5 == fleet.rig.depth()[0]
    assert int(fleet.rig.plain.info("commandstats")["cmdstat_evalsha"]["calls"]) < 500
    assert set() == {line["job"] for line in fleet.journal.of("start")} & {
        str(JobId.of(task)) for task in strange
    }
    worker.signal(signal.SIGTERM)
    assert 0 == await asyncio.to_thread(worker.wait)
    assert [] == (await fleet.rig.consumer("same").claim(16, 0)).entries
    monkeypatch.setattr(consumer, "VERSION", "2")
    newer = await fleet.rig.consumer("newer").claim(16, 0)
    assert [(1, "2")] * 5 == [(entry.deliveries, entry.version) for entry in newer.entries]
