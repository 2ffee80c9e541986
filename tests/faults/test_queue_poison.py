"""Bad input and bad devices: what brings a worker down ends alone, and a broken worker does not eat the queue."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from spanserve.contract import ErrorCode, Task
from spanserve.contract.limits import MAX_DEATHS
from spanserve.doors.redis.breaker import ALLOWED_OF_TASKS
from spanserve.queue import SUSPECT, JobId
from tests.faults.faulty_worker import RAISED, Faults
from tests.faults.oracle import Classes, Ledger
from tests.faults.queue_fleet import QueueFleet, single_tasks
from tests.kit.bundles import POISON_ID, VOCABULARY
from tests.kit.processes import WorkerProcess
from tests.kit.waiting import eventually

MakeFleet = Callable[..., Awaitable[QueueFleet]]

EXIT_DEVICE_FAILED = 70
#: Deaths before a task is a suspect.
IN_COMPANY = SUSPECT - 1


POISON = {
    "three abort the device": (3, "abort", 0.0),
    "one hangs the device": (1, "hang", 1.0),
}


@pytest.mark.parametrize("name", POISON)
async def test_poison_for_the_device(make_fleet: MakeFleet, name: str) -> None:
    """Tasks that abort or hang the device end alone among the dead letters; the rest is answered, the worker lives."""
    count, fault, timeout_s = POISON[name]
    fleet = await make_fleet(device=f"sim:fixed?latency_ms=5&{fault}_id={POISON_ID}")
    poison = single_tasks(count, "p", context="A poison said")
    tasks = single_tasks(100) + poison + single_tasks(100, "u")
    supervised = fleet.supervised(faults=Faults(batch_timeout_s=timeout_s))
    async with supervised as ends, fleet.evaluation(tasks) as evaluation:
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger, unanswered=count)
    assert (count, count) == (classes.dead, len(fleet.rig.dead()))
    assert {ErrorCode.POISON} == codes(ledger, poison)
    assert {EXIT_DEVICE_FAILED} >= set(ends)
    runs = [len(fleet.journal.of("start", job=str(JobId.of(task)))) for task in poison]
    assert (
        max(runs) <= IN_COMPANY + MAX_DEATHS + count
    )  # one that was sent when the host died of another had not begun
    print(f"{count} poison tasks: run {runs} times, the worker ended {len(ends)} times")


async def test_poison_for_the_worker(make_fleet: MakeFleet) -> None:
    """D12: a text that kills whoever tokenises it is given up after two deaths in company and three alone."""
    fleet = await make_fleet(lease_s=0.6)
    (poison,) = single_tasks(1, "p", context="A poison said")
    tasks = [*single_tasks(40), poison, *single_tasks(40, "u")]
    async with (
        fleet.supervised(faults=Faults(abort_on="poison")) as ends,
        fleet.evaluation(tasks) as evaluation,
    ):
        ledger = await evaluation.ended()
    await fleet.check(ledger, unanswered=1)
    assert {ErrorCode.POISON} == codes(ledger, [poison])
    (letter,) = fleet.rig.dead()
    assert b"3 workers that were alone with it died" in letter["reason"]
    assert {-signal.SIGKILL} == set(ends)
    assert MAX_DEATHS <= len(ends) <= MAX_DEATHS + IN_COMPANY
    print(f"{len(ends)} workers died of it")


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 5])
async def test_poison_among_a_thousand(make_fleet: MakeFleet, count: int) -> None:
    """D12, D13: of a thousand texts those that kill workers are given up, after five deaths each at most."""
    fleet = await make_fleet(lease_s=0.6)
    poison = single_tasks(count, "p", context="A poison said")
    tasks = [*single_tasks(500), *poison, *single_tasks(500 - count, "u")]
    supervised = fleet.supervised("--max-batch-size", "64", faults=Faults(abort_on="poison"))
    async with supervised as ends, fleet.evaluation(tasks) as evaluation:
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger, unanswered=count)
    assert (count, count) == (classes.dead, len(fleet.rig.dead()))
    assert {ErrorCode.POISON} == codes(ledger, poison)
    assert len(ends) <= count * (MAX_DEATHS + IN_COMPANY)
    print(f"{len(ends)} workers died of {count}")


async def test_a_device_that_does_not_come_back(make_fleet: MakeFleet) -> None:
    """D10: what a dead device had not begun others have at once, the rest when it is given up; all is answered."""
    fleet = await make_fleet(device="sim:fixed?latency_ms=100")
    broken = fleet.worker(faults=Faults(restart_hangs_s=15.0))
    await fleet.ready(broken, fleet.worker())
    async with fleet.evaluation(single_tasks(400)) as evaluation:
        await evaluation.reached(0.1)
        os.kill(broken.host_pid(), signal.SIGKILL)
        await evaluation.reached(0.8)
        assert [] == broken.records("device given up")
        ledger = await evaluation.ended()
    assert EXIT_DEVICE_FAILED == await asyncio.to_thread(broken.wait)
    classes = await fleet.check(ledger)
    assert 0 == classes.dead


@pytest.mark.parametrize("name", RAISED)
async def test_a_panic(make_fleet: MakeFleet, name: str) -> None:
    """D14: a task on which the tokenizer panics, or raises anything else, fails alone; nothing dies or runs again."""
    fleet = await make_fleet()
    worker = fleet.worker(faults=Faults(panic_on="poison", panic_as=name))
    await fleet.ready(worker)
    poison = single_tasks(1, "p", context="A poison said")
    async with fleet.evaluation(single_tasks(63) + poison) as evaluation:
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger, unanswered=1)
    assert {ErrorCode.INTERNAL} == codes(ledger, poison)
    assert (0, 0, 0) == (classes.dead, classes.duplicate_executions, len(worker.records("device host died")))


async def test_a_black_hole(make_fleet: MakeFleet) -> None:
    """A worker whose device gives wrong answers to the goldens touches nothing, and ends; others do the work."""
    fleet = await make_fleet()
    hole = fleet.worker(device=f"sim:fixed?fail_id={VOCABULARY['1871']}")
    async with fleet.evaluation(single_tasks(50)) as evaluation:
        assert EXIT_DEVICE_FAILED == await asyncio.to_thread(hole.wait)
        assert [] == fleet.journal.of("start")
        assert (50, 0) == fleet.rig.depth()
        fleet.worker()
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger)
    assert 0 == classes.duplicate_executions


async def claims_no_more(fleet: QueueFleet, worker: WorkerProcess, bad: list[Task]) -> tuple[Ledger, Classes]:
    """A worker opens its breaker on the bad tasks and takes none of fifty whole ones, which another one answers."""
    await asyncio.to_thread(worker.wait_for, "breaker", closed=False)
    async with fleet.evaluation(bad + single_tasks(50, "u")) as evaluation:
        await eventually(lambda: fleet.rig.depth() == (50, 0))
        fleet.worker()
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger, unanswered=len(bad))
    assert worker.pid not in {line["pid"] for line in fleet.journal.of("start")}
    return ledger, classes


async def test_garbage_in_a_row(make_fleet: MakeFleet) -> None:
    """A worker that finds one entry after the other to be no task goes on: what is behind them is answered."""
    fleet = await make_fleet()
    damaged = single_tasks(ALLOWED_OF_TASKS + 1)
    assert {"queued"} == set(await fleet.rig.submit(*damaged))
    for task in damaged:
        fleet.rig.damage(task)
    worker = fleet.worker()
    async with fleet.evaluation(damaged + single_tasks(50, "u")) as evaluation:
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger, unanswered=len(damaged))
    assert (len(damaged), []) == (classes.dead, worker.records("breaker"))


async def test_internal_errors_in_a_row(make_fleet: MakeFleet) -> None:
    """A worker that answers one task after the other with an internal error stops to claim; the rest waits."""
    fleet = await make_fleet()
    poison = single_tasks(ALLOWED_OF_TASKS + 1, "p", context="A poison said")
    assert {"queued"} == set(await fleet.rig.submit(*poison))
    ledger, classes = await claims_no_more(fleet, fleet.worker(faults=Faults(panic_on="poison")), poison)
    assert ({ErrorCode.INTERNAL}, 0) == (codes(ledger, poison), classes.dead)


def codes(ledger: Ledger, tasks: list[Task]) -> set[ErrorCode]:
    """Kinds of error that these tasks ended with."""
    errors = (question.error for task in tasks for question in ledger.first[task.id].questions)
    return {error.code for error in errors if error is not None}
