"""The engine when its device fails, without a process: who survives whom, and when the device is given up."""

from __future__ import annotations

from spanserve.contract import ErrorCode
from spanserve.device import DeviceError
from spanserve.engine.deaths import DEATHS_PERIOD_S
from spanserve.engine.state import Event, State
from tests.kit.clock import Clock
from tests.kit.sum_engine import BAD, all_added, rig, task, tasks
from tests.kit.sums import STRETCH

POISON = task("poison", (1,), (2,), (BAD, 3), (4,))


async def test_poison_ends_alone() -> None:
    """A row that kills the device is given up after five runs; everybody else is answered, the worker lives."""
    async with rig(fatal=BAD) as made:
        *others, poisoned = await made.run(*tasks(30), POISON)
        assert all_added(others)
        assert [None, None, ErrorCode.POISON, None] == poisoned.codes
        error = poisoned.errors[2]
        assert error is not None
        assert "5 runs" in error.message
        assert 5 == poisoned.attempt
        assert 5 == made.seen.restarts
        assert State.READY is made.engine.lifecycle.state
        assert State.FAILED not in made.seen.states
        assert 0 == made.engine.held_windows
        assert {"poison"} == {request.task.name for request in made.seen.alone[-2:]}


async def test_poison_of_many_windows() -> None:
    """A poison question whose windows fill several batches is found all the same, and costs no sibling."""
    poison = (*range(1, STRETCH * 9), BAD)
    async with rig(fatal=BAD, max_batch=4) as made:
        *others, poisoned = await made.run(*tasks(8), task("p", tuple(range(STRETCH * 9)), poison))
        assert all_added(others)
        assert [None, ErrorCode.POISON] == poisoned.codes
        assert State.READY is made.engine.lifecycle.state


async def test_what_the_device_refuses_ends_alone() -> None:
    """A batch that fails without killing the host is taken apart the same way; the goldens may be asked once."""
    async with rig(unwanted=BAD) as made:
        *others, refused = await made.run(*tasks(30), POISON)
        assert all_added(others)
        assert [None, None, ErrorCode.POISON, None] == refused.codes
        error = refused.errors[2]
        assert error is not None
        assert "the device refused it" in error.message
        assert made.seen.restarts <= 1  # after three refusals in a row the device must prove itself
        assert State.READY is made.engine.lifecycle.state


async def test_two_poison_tasks_do_not_give_the_device_up() -> None:
    """Suspects that bring the host down again are no sign against the device: each is singled out."""
    async with rig(fatal=BAD) as made:
        results = await made.run(*(task(f"t{n}", (BAD if n in (1, 5) else n,)) for n in range(8)))
        expected = [[ErrorCode.POISON] if n in (1, 5) else [None] for n in range(8)]
        assert expected == [result.codes for result in results]
        assert State.READY is made.engine.lifecycle.state


async def test_the_end_of_an_idle_host_is_noticed() -> None:
    """A host that dies while nothing is with it is started again at once; the worker is not ready meanwhile."""
    async with rig() as made:
        made.device.die()
        assert all_added(await made.run(task()))
        assert [State.READY, State.RECOVERING, State.READY] == made.seen.states
        assert 1 == made.seen.restarts


async def test_the_end_of_a_host_while_the_worker_drains() -> None:
    """A worker that drains stays so while its device is restarted, and what it holds is still answered."""
    async with rig() as made:
        made.engine.lifecycle.on(Event.STOPPED)
        made.device.die()
        assert all_added(await made.run(task()))
        assert [State.READY, State.DRAINING] == made.seen.states
        assert 1 == made.seen.restarts


async def test_three_deaths_give_the_device_up() -> None:
    """When the host dies a third time within a minute every held task is answered UNAVAILABLE, at once."""
    async with rig() as made:
        for number in range(2):
            made.device.die()
            assert all_added(await made.run(*tasks(3, f"{number}.")))
        made.device.die()
        results = await made.run(*tasks(20))
        assert [[ErrorCode.UNAVAILABLE]] * 20 == [result.codes for result in results]
        assert State.FAILED is made.seen.states[-1]
        assert "died 3 times within 60 s" in made.seen.reason
        assert made.engine.idle.is_set()
        assert 2 == made.seen.restarts


async def test_deaths_are_forgotten() -> None:
    """Deaths that lie further apart than a minute do not add up."""
    clock = Clock()
    async with rig(clock=clock) as made:
        for _ in range(4):
            made.device.die()
            assert all_added(await made.run(task()))
            clock.now += DEATHS_PERIOD_S / 2 + 0.1
        assert 4 == made.seen.restarts
        assert [State.READY, State.RECOVERING] * 4 + [State.READY] == made.seen.states


async def test_a_device_that_cannot_be_proven_is_given_up() -> None:
    """A host that comes back with wrong answers serves nothing more."""

    def prove() -> None:
        raise DeviceError("golden 0 is wrong")

    async with rig(prove=prove) as made:
        made.device.die()
        (result,) = await made.run(task())
        assert [ErrorCode.UNAVAILABLE] == result.codes
        assert [State.READY, State.RECOVERING, State.FAILED] == made.seen.states


async def test_a_task_starts_with_its_attempt() -> None:
    """A task that has failed elsewhere starts as a suspect: on its third run it is alone on the device."""
    async with rig() as made:
        results = await made.run(*(task(f"t{n}", (1,), (2,), attempt=3) for n in range(4)))
        assert all_added(results)
        assert [3] * 4 == [result.attempt for result in results]
        assert [2] * 4 == made.device.ran
        assert ["t0", "t1", "t2", "t3"] == [request.task.name for request in made.seen.alone]
