"""Single calls of several tasks: in together or not at all, and gone together."""

from __future__ import annotations

import asyncio

import pytest

from spanserve.contract import ErrorCode, Refusal
from spanserve.engine import admission as admission_module
from spanserve.engine.admission import Account, Admission, Caller
from spanserve.engine.capacity import PROMISE_S
from tests.kit.clock import Clock
from tests.kit.sum_engine import MAX_BATCH, rig, task, tasks
from tests.kit.sums import STRETCH, Sums, SumTask


def ignore(result: Sums) -> None:
    """Nobody waits for it."""


async def test_results_in_order() -> None:
    """The results of a call come in the order of its tasks, the errors of single ones among them; nothing is held."""
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        account = admission.open()
        results = await admission.call(account, [task("a", (1, 2)), task("", (1,)), task("c", (3, 4))])
        assert [(3.0,), (None,), (7.0,)] == [result.sums for result in results]
        assert [None, ErrorCode.INVALID_ARGUMENT, None] == [result.codes[0] for result in results]
        assert (0, 0, 0) == (admission.capacity.used, admission._of_calls, len(admission._line))


async def test_all_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call for which there is no room is refused whole: none of its tasks has become work."""
    monkeypatch.setattr(admission_module, "CALL_WAIT_S", 0.05)
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        unblock, queue, calls = made.block(), admission.open(), admission.open(Caller("calls"))
        for _ in range(made.engine.capacity_windows):
            admission.submit(queue, task("full"), ignore, late=True)
        beside = asyncio.create_task(admission.call(calls, tasks(MAX_BATCH - 1)))
        await made.entered(made.engine.capacity_windows + MAX_BATCH - 1)
        with pytest.raises(Refusal, match="full"):
            await admission.call(calls, tasks(2, "late"))
        assert not [one for one in made.engine._requests if one.task.name.startswith("late")]
        unblock()
        await made.run(task("next"))
        assert MAX_BATCH - 1 == len(await beside)
        admission.close(queue)
        assert (0, 0) == (admission.capacity.used, admission._of_calls)


async def test_gone() -> None:
    """Of a call that is given up nothing is computed that has not begun, and nothing stays held."""
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        unblock, account = made.block(), admission.open()
        call = asyncio.create_task(admission.call(account, tasks(5)))
        await made.entered(5)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        unblock()
        await made.run(task("next"))
        await made.engine.idle.wait()
        assert [1] == made.device.ran
        assert (0, 0) == (admission.capacity.used, admission._of_calls)


async def test_room_beside_for_newcomers() -> None:
    """Where others have all the room, half of what calls get in addition is for callers that have nothing here."""
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        unblock, queue = made.block(), admission.open()
        flood, neighbour = (admission.open(Caller(connection=name)) for name in ("flood", "neighbour"))
        for _ in range(made.engine.capacity_windows):
            admission.submit(queue, task("full"), ignore, late=True)
        calls = [asyncio.create_task(admission.call(flood, tasks(1))) for _ in range(MAX_BATCH)]
        await made.entered(made.engine.capacity_windows + MAX_BATCH // 2)
        assert MAX_BATCH // 2 == len(admission._line)
        calls.append(asyncio.create_task(admission.call(neighbour, tasks(1))))
        await made.entered(1)
        assert (1, MAX_BATCH // 2) == (neighbour.held, flood.held)
        unblock()
        admission.close(queue)
        await asyncio.gather(*calls)
        assert (0, 0) == (admission.capacity.used, admission._of_calls)


def parties(admission: Admission[SumTask, Sums]) -> tuple[Account, Account, Account]:
    """A queue and single calls of one identity, and a stream of another."""
    callers = Caller("flood", connection="queue"), Caller("flood"), Caller("stream")
    queue, flood, stream = map(admission.open, callers)
    return queue, flood, stream


async def test_streams_beside_waiting_calls() -> None:
    """What is free goes to a stream that has less than its part, before calls of a caller that has more."""
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        queue, flood, stream = parties(admission)
        part = made.engine.capacity_windows // 2
        held = [admission.submit(queue, task("held"), ignore, late=True) for _ in range(2 * part)]
        await made.engine.idle.wait()  # their results are not on the wire yet
        unblock = made.block()
        calls = [asyncio.create_task(admission.call(flood, tasks(1))) for _ in range(40)]
        await made.entered(2 * part + MAX_BATCH // 2)
        waiting = len(admission._line)
        assert 0 == admission.grant(stream)
        for _ in range(MAX_BATCH // 2 + 1):
            admission.settle(queue, held.pop())
        assert 1 == admission.grant(stream)
        admission.submit(stream, task("streamed"), ignore)
        for _ in range(10):
            admission.settle(queue, held.pop())
        assert (10, waiting) == (admission.grant(stream), len(admission._line))
        admission.settle(queue, *held)
        assert part == stream.held + stream.credit
        assert waiting > len(admission._line)
        unblock()
        admission.close(stream)
        await asyncio.gather(*calls)


async def test_a_stream_keeps_its_part() -> None:
    """What a stream has given back it may have again, before calls that wait get it."""
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        queue, flood, stream = parties(admission)
        part = made.engine.capacity_windows // 2
        assert part == admission.grant(stream)
        sent = [admission.submit(stream, task("sent"), ignore) for _ in range(part)]
        for _ in range(part):
            admission.submit(queue, task("held"), ignore, late=True)
        await made.engine.idle.wait()
        unblock = made.block()
        calls = [asyncio.create_task(admission.call(flood, tasks(1))) for _ in range(40)]
        await made.entered(2 * part + MAX_BATCH // 2)
        waiting = len(admission._line)
        admission.settle(stream, *sent[: MAX_BATCH // 2 + 12])
        assert (12, waiting) == (admission.grant(stream), len(admission._line))
        unblock()
        admission.close(stream)
        admission.close(queue)
        await asyncio.gather(*calls)


@pytest.mark.parametrize("windows", [2, 8])
async def test_a_stream_of_longer_tasks(windows: int) -> None:
    """A task is not cut: its stream is let in by the one window that has become free, before calls of one window."""
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        queue, flood, stream = parties(admission)
        long = task("long", tuple(range(STRETCH * windows)))
        assert 0 < admission.grant(stream)
        sent = [admission.submit(stream, long, ignore)]
        held = [
            admission.submit(queue, task("held"), ignore, late=True)
            for _ in range(made.engine.capacity_windows)
        ]
        await made.engine.idle.wait()
        admission.settle(stream, *sent)
        admission.capacity.forgo(stream)
        unblock = made.block()
        calls = [asyncio.create_task(admission.call(flood, tasks(1))) for _ in range(40)]
        await made.entered(made.engine.capacity_windows + windows + MAX_BATCH // 2)
        admission.grant(stream)
        waiting, credit = len(admission._line), 0
        while held and not credit:
            admission.settle(queue, held.pop())
            credit = admission.grant(stream)
        assert (1, waiting) == (credit, len(admission._line))
        admission.submit(stream, long, ignore)
        assert windows == stream.held
        unblock()
        admission.close(stream)
        admission.close(queue)
        await asyncio.gather(*calls)


async def test_promises_lapse_for_calls() -> None:
    """Room that was promised to a stream which does nothing is there for calls after a while."""
    clock = Clock()
    async with rig(clock=clock) as made:
        admission = Admission(made.engine, clock)
        idle = admission.open(Caller("idle"))
        promised = admission.grant(idle)
        assert promised > MAX_BATCH
        made.block()
        room = made.engine.capacity_windows - promised
        account = admission.open(Caller("calls"))
        calls = [asyncio.create_task(admission.call(account, tasks(1))) for _ in range(room + MAX_BATCH)]
        await made.entered(room + MAX_BATCH // 2)
        assert MAX_BATCH // 2 == len(admission._line)
        clock.now += PROMISE_S
        admission._look_again()  # as its timer does
        await made.entered(MAX_BATCH // 2)
        assert (0, 0) == (idle.promised, len(admission._line))
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_until_idle() -> None:
    """A worker is idle when no call waits for room any more, not when those that were let in have ended."""
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        unblock, account = made.block(), admission.open()
        size = made.engine.capacity_windows + 1  # each alone
        calls = [asyncio.create_task(admission.call(account, tasks(size))) for _ in range(3)]
        await made.entered(1)
        idle = asyncio.create_task(admission.until_idle())
        unblock()
        await idle
        assert [size] * 3 == [len(call.result()) for call in calls]


async def test_until_what_is_on_its_way_is_in() -> None:
    """A call whose body is still being read is waited for."""
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        with admission.entering():
            idle = asyncio.create_task(admission.until_idle())
            await asyncio.sleep(0)
            assert not idle.done()
            (result,) = await admission.call(admission.open(), tasks(1))
            await asyncio.sleep(0)
            assert not idle.done()
        await idle
        assert result is not None
