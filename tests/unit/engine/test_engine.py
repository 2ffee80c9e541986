"""The engine without a process or a question: what it computes, what it does not, who survives whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from spanserve.bundle import CostTable
from spanserve.contract import ErrorCode
from spanserve.device import DeviceError
from spanserve.engine.batcher import Batch, Batcher
from spanserve.engine.deaths import DEATHS_PERIOD_S
from spanserve.engine.engine import Engine
from spanserve.engine.observer import Observer, Observers
from spanserve.engine.request import Request, Row
from spanserve.engine.state import Event, Lifecycle, State
from tests.kit.sums import STRETCH, AddingDevice, AddingSlot, SumPipeline, Sums, SumTask

MAX_BATCH = 16
#: The number that kills the device, or that it will not add.
BAD = 666


@dataclass(slots=True)
class Clock:
    """Seconds that pass when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Seen(Observer):
    """What an observer was told."""

    states: list[State] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    alone: list[Request[Any]] = field(default_factory=list)
    restarts: int = 0
    waiting: int = 0

    def state_changed(self, state: State, reason: str) -> None:
        self.states.append(state)

    def backlog_changed(self, windows: int) -> None:
        self.waiting = windows

    def batch_formed(self, batch: Batch, max_batch: int) -> None:
        self.batches.append(batch)

    def request_alone(self, request: Request[Any]) -> None:
        self.alone.append(request)

    def host_restarted(self) -> None:
        self.restarts += 1


class WatchedBatcher(Batcher):
    """Tells when rows have entered."""

    def __init__(self, max_batch: int) -> None:
        super().__init__(CostTable((max_batch,), (64,), ((0.001,),)), max_batch, 64)
        self.entered = asyncio.Semaphore(0)

    def add(self, row: Row) -> None:
        super().add(row)
        self.entered.release()


@dataclass(slots=True, kw_only=True)
class Rig:
    """An engine on an adding device."""

    engine: Engine[SumTask, Sums]
    device: AddingDevice
    seen: Seen
    batcher: WatchedBatcher

    def submit(self, *tasks: SumTask) -> tuple[list[Request[SumTask]], list[asyncio.Future[Sums]]]:
        futures: list[asyncio.Future[Sums]] = [asyncio.get_running_loop().create_future() for _ in tasks]
        return self.engine.submit(tasks, [future.set_result for future in futures]), futures

    async def run(self, *tasks: SumTask) -> list[Sums]:
        async with asyncio.timeout(30):
            return list(await asyncio.gather(*self.submit(*tasks)[1]))

    async def entered(self, rows: int) -> None:
        for _ in range(rows):
            await self.batcher.entered.acquire()

    def block(self) -> Callable[[], None]:
        """Take every slot, so that nothing reaches the device; returns what gives them back."""
        slots: list[AddingSlot] = list(iter(self.device.acquire, None))

        def unblock() -> None:
            for slot in slots:
                slot.release()

        return unblock


@asynccontextmanager
async def rig(
    *,
    clock: Callable[[], float] | None = None,
    max_batch: int = MAX_BATCH,
    prove: Callable[[], None] | None = None,
    pipeline: SumPipeline | None = None,
    fatal: int | None = None,
    unwanted: int | None = None,
) -> AsyncIterator[Rig]:
    """An engine that is ready."""
    device, seen, batcher = AddingDevice(fatal=fatal, unwanted=unwanted), Seen(), WatchedBatcher(max_batch)
    observers = Observers(seen)
    lifecycle = Lifecycle(observers)
    engine = Engine(
        pipeline=pipeline or SumPipeline(),
        device=device,
        batcher=batcher,
        padded_length=lambda tokens: -(-tokens // 16) * 16,
        prove=prove or device.restart,
        lifecycle=lifecycle,
        observers=observers,
        clock=clock or Clock(),
    )
    lifecycle.on(Event.PROVEN)
    try:
        yield Rig(engine=engine, device=device, seen=seen, batcher=batcher)
    finally:
        await engine.close()


def task(name: str = "t", *rows: tuple[int, ...], **given: Any) -> SumTask:
    return SumTask(name, rows or ((1, 2, 3),), **given)


def tasks(count: int, prefix: str = "t") -> list[SumTask]:
    """Tasks of one row each, every sum different."""
    return [task(f"{prefix}{number}", (number, 1)) for number in range(count)]


def all_added(results: list[Sums]) -> bool:
    return all(code is None for result in results for code in result.codes)


async def test_every_sum_is_its_own() -> None:
    """Rows that share batches get the sums they get alone."""
    async with rig() as made:
        together = await made.run(*tasks(40))
        alone = [(await made.run(one))[0] for one in tasks(40)]
        assert [(float(number + 1),) for number in range(40)] == [result.sums for result in together]
        assert alone == together
        assert 80 == made.engine.ended_questions
        assert (0, True) == (made.engine.held_windows, made.engine.idle.is_set())
        assert made.engine.batches < 80


async def test_windows_of_a_question_are_put_together() -> None:
    """A question of several windows has its outcome from all of them, whatever batches they were in."""
    rows = (tuple(range(STRETCH * 5)), (7,))
    async with rig(max_batch=2) as made:
        (result,) = await made.run(task("long", *rows))
        assert tuple(float(sum(row)) for row in rows) == result.sums
        assert 6 == sum(made.device.ran)


async def test_what_cannot_be_encoded_ends_alone() -> None:
    """A question at fault carries its error and a task at fault its own; siblings and neighbours are computed."""
    async with rig() as made:
        partly, nameless, sound = await made.run(task("a", (1,), ()), task("", (1,)), task("b", (2,)))
        assert [None, ErrorCode.INVALID_ARGUMENT] == partly.codes
        assert [ErrorCode.INVALID_ARGUMENT] == nameless.codes
        assert (2.0,) == sound.sums


async def test_expired_tasks_are_not_computed() -> None:
    """A task whose time passes in the backlog is answered DEADLINE_EXCEEDED and never reaches the device."""
    clock = Clock()
    async with rig(clock=clock) as made:
        unblock = made.block()
        _, (late, in_time) = made.submit(task("late", timeout_ms=1000), task("in-time", timeout_ms=5000))
        await made.entered(2)
        clock.now += 1.0
        unblock()
        await made.run(task("next"))  # forms batches again
        assert [ErrorCode.DEADLINE_EXCEEDED] == (await late).codes
        assert [None] == (await in_time).codes
        assert 0 == made.engine.held_windows
        assert 2 == sum(made.device.ran)


async def test_expired_before_encoding() -> None:
    """A task that is late when its turn to be encoded comes is not encoded."""
    clock = Clock()
    async with rig(clock=clock) as made:
        _, (future,) = made.submit(task(timeout_ms=1))
        clock.now += 1.0
        assert [ErrorCode.DEADLINE_EXCEEDED] == (await future).codes
        assert [] == made.device.ran


async def test_cancelled_tasks_are_not_computed() -> None:
    """A withdrawn task ends CANCELLED without reaching the device; its neighbours are computed."""
    async with rig() as made:
        unblock = made.block()
        requests, futures = made.submit(*tasks(6))
        await made.entered(6)
        for request in requests[:4]:
            made.engine.cancel(request)
        unblock()
        await made.run(task("next"))
        results = [await future for future in futures]
        assert [[ErrorCode.CANCELLED]] * 4 + [[None]] * 2 == [result.codes for result in results]
        assert 3 == sum(made.device.ran)
        assert (0, 0) == (made.engine.held_windows, made.seen.waiting)


async def test_a_backlog_of_withdrawn_tasks_empties() -> None:
    """When all that waits is withdrawn nothing is computed, and observers hear that nothing is held."""
    async with rig() as made:
        unblock = made.block()
        requests, futures = made.submit(*tasks(20))
        await made.entered(20)
        assert 20 == made.engine.held_windows == made.seen.waiting
        for request in requests:
            made.engine.cancel(request)
        unblock()
        made.engine.submit([task("next", timeout_ms=1)], [lambda result: None])
        assert [[ErrorCode.CANCELLED]] * 20 == [(await future).codes for future in futures]
        await made.engine.idle.wait()
        assert 0 == made.engine.held_windows == made.seen.waiting


async def test_a_panic_in_encoding_costs_one_task() -> None:
    """A task whose encoding panics fails alone, INTERNAL with an opaque reference; its neighbours do not."""

    class Panic(BaseException):
        """As pyo3 raises it: no Exception."""

    class Panicking(SumPipeline):
        def encode(self, task: SumTask) -> Any:
            if task.name == "t3":
                raise Panic("secret text of the input")
            return super().encode(task)

    async with rig(pipeline=Panicking()) as made:
        results = await made.run(*tasks(64))
        assert ["t3"] == [result.name for result in results if result.codes != [None]]
        error = results[3].errors[0]
        assert error is not None
        assert ErrorCode.INTERNAL is error.code
        assert "secret" not in str(error)
        assert 0 == made.seen.restarts


@pytest.mark.parametrize("stage", ["decode", "answer"])
async def test_a_fault_after_the_device_leaves_nobody_waiting(stage: str) -> None:
    """When outputs cannot be read every question concerned gets INTERNAL, and the next batch is well again."""
    pipeline = SumPipeline()

    def broken(*args: object) -> Any:
        raise ValueError("no such shape")

    async with rig(pipeline=pipeline) as made:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipeline, stage, broken)
            results = await made.run(*tasks(3))
        assert [[ErrorCode.INTERNAL]] * 3 == [result.codes for result in results]
        assert all_added(await made.run(task()))
        assert 0 == made.engine.held_windows


async def test_nothing_to_submit_leaves_the_engine_idle() -> None:
    """A frame none of whose tasks was accepted does not keep a drain waiting."""
    async with rig() as made:
        made.engine.submit([], [])
        assert made.engine.idle.is_set()


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
        assert "died 3 times within 60 s" in made.engine.lifecycle.failure
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


async def test_paused_requests_wait() -> None:
    """Nothing of a paused request is started, others go past it, and resumed it is answered."""
    async with rig() as made:
        unblock = made.block()
        (paused, _), futures = made.submit(task("paused", (1,), (2,)), task("other"))
        await made.entered(3)
        made.engine.pause([paused])
        unblock()
        assert all_added(await made.run(task("later")))
        assert all_added([await futures[1]])
        assert not futures[0].done()
        assert not paused.started
        made.engine.resume([paused])
        assert all_added([await futures[0]])
        assert made.engine.idle.is_set()
        assert 0 == made.engine.held_windows


async def test_a_paused_request_can_be_withdrawn() -> None:
    """A request that is cancelled while it is paused ends when it is resumed, not computed."""
    async with rig() as made:
        unblock = made.block()
        (paused,), (future,) = made.submit(task())
        await made.entered(1)
        made.engine.pause([paused])
        made.engine.cancel(paused)
        unblock()
        made.engine.resume([paused])
        assert [ErrorCode.CANCELLED] == (await future).codes
        assert not paused.started


async def test_a_fault_of_an_observer_stops_nothing() -> None:
    """An observer that raises is logged; others are told and work goes on."""

    class Broken(Observer):
        def batch_formed(self, batch: Batch, max_batch: int) -> None:
            raise RuntimeError("looked too closely")

    async with rig() as made:
        made.engine.observers.add(Broken())
        later = Seen()
        made.engine.observers.add(later)
        assert all_added(await made.run(task()))
        assert 1 == len(later.batches) == len(made.seen.batches)
