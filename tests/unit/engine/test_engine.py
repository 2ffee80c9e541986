"""The engine without a process or a question: what it computes, and what it does not."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from spanserve.contract import ErrorCode
from spanserve.engine.admission import Admission
from spanserve.engine.batcher import Batch
from spanserve.engine.observer import Observer
from spanserve.engine.pipeline import Inputs, Outputs
from spanserve.engine.request import Request, Row
from spanserve.engine.state import State
from tests.kit.clock import Clock
from tests.kit.processes import PATIENCE_S
from tests.kit.sum_engine import Seen, all_added, rig, task, tasks
from tests.kit.sums import STRETCH, EncodedSums, SumPipeline, Sums, SumTask


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


async def test_what_has_ended_is_gone() -> None:
    """Nothing of a task that has ended is in a ring: it goes at once, and no collector of garbage looks for it."""
    gc.collect()
    gc.disable()
    try:
        async with rig() as made:
            admission = Admission(made.engine, made.engine._clock)
            account = admission.open()
            await admission.call(account, tasks(20))
            await made.run(*tasks(20))
            await made.run(task("last"))  # which those who had the others may still know
            made.seen.batches.clear()
            left = [one for one in gc.get_objects() if type(one) is Request]  # `isinstance` may ask a proxy
            assert {"last"} >= {one.task.name for one in left}
    finally:
        gc.enable()


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


async def test_time_in_all() -> None:
    """A task's time is that from its arrival to its result, however many of its windows waited for it side by side."""
    clock = Clock()
    async with rig(clock=clock) as made:
        unblock = made.block()
        (request,), (future,) = made.submit(task("a", (1,), (2,)))
        await made.entered(2)
        clock.now += 3.0
        unblock()
        await made.run(task("next"))
        await future
        assert (3.0, 3_000_000) == (request.total_s, request.timing.total_us)


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


async def test_withdrawn_while_it_is_encoded() -> None:
    """A task that is withdrawn while it is in the encoding thread ends there: it waits for no device."""
    encoding, withdrawn = threading.Event(), threading.Event()

    class Slow(SumPipeline):
        def encode(self, task: SumTask) -> EncodedSums:
            encoding.set()
            assert withdrawn.wait(30)
            return super().encode(task)

    async with rig(pipeline=Slow()) as made:
        made.block()
        (request,), (future,) = made.submit(task())
        assert await asyncio.to_thread(encoding.wait, 30)
        made.engine.cancel(request)
        withdrawn.set()
        assert [ErrorCode.CANCELLED] == (await future).codes
        assert (0, 0) == (made.engine.held_windows, len(made.batcher))


async def test_a_backlog_of_withdrawn_tasks_empties() -> None:
    """When all that waits is withdrawn nothing is computed, and observers hear that nothing is held."""
    async with rig() as made:
        made.block()
        requests, futures = made.submit(*tasks(20))
        await made.entered(20)
        assert 20 == made.engine.held_windows == made.seen.waiting
        for request in requests:
            made.engine.cancel(request)
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


@pytest.mark.parametrize("stage", ["fill", "decode", "answer"])
async def test_a_fault_around_the_device_leaves_nobody_waiting(stage: str) -> None:
    """When a batch cannot be filled or read all its questions get INTERNAL, and the next batch is well again."""
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
        assert 2 == len(made.device.free)


async def test_a_batch_that_cannot_be_filled_behind_another() -> None:
    """A fault while a slot that came back is filled anew ends that batch alone, and loses no slot."""

    class Third(SumPipeline):
        filled = 0

        def fill(self, rows: Sequence[Row], inputs: Inputs) -> None:
            self.filled += 1
            if self.filled == 3:
                raise ValueError("no such shape")
            super().fill(rows, inputs)

    async with rig(pipeline=Third(), max_batch=2) as made:
        results = await made.run(*tasks(20))
        assert 2 == sum(result.codes == [ErrorCode.INTERNAL] for result in results)
        assert 18 == sum(result.codes == [None] for result in results)
        assert (0, 2) == (made.engine.held_windows, len(made.device.free))


async def test_a_finding_too_few() -> None:
    """A pipeline that does not say of every row what it found spoils the batch, and holds nobody up."""

    class Short(SumPipeline):
        def decode(self, outputs: Outputs, rows: Sequence[Row]) -> list[float]:
            return super().decode(outputs, rows)[:-1]

    async with rig(pipeline=Short()) as made:
        results = await made.run(*tasks(3))
        assert [[ErrorCode.INTERNAL]] * 3 == [result.codes for result in results]
        assert 0 == made.engine.held_windows


async def test_a_result_that_cannot_be_put_together() -> None:
    """Where a request cannot be told its end the worker gives up, so that neither it nor others wait for ever."""

    class Unfinished(SumPipeline):
        def finish(self, request: Request[SumTask]) -> Sums:
            if request.task.name == "t1":
                raise ValueError("no such field")
            return super().finish(request)

    async with rig(pipeline=Unfinished()) as made:
        _, (before, _, after) = made.submit(*tasks(3))
        async with asyncio.timeout(PATIENCE_S):
            assert [None] == (await before).codes
            assert [ErrorCode.UNAVAILABLE] == (await after).codes
        assert State.FAILED is made.engine.lifecycle.state
        assert made.engine.idle.is_set()


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
