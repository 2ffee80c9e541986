"""Clients that send more than they may: refused item by item, then shown the door; memory stays flat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
import pytest
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.client import AsyncClient
from spanserve.contract import ErrorCode, TaskResult
from spanserve.contract.limits import MAX_CONTEXT_BYTES, MIB
from spanserve.doors.grpc.stream import OVERRUNS_ALLOWED
from spanserve.v1 import worker_pb2
from tests.faults.proxy import proxy_to
from tests.kit.processes import WorkerProcess
from tests.kit.serving import serving
from tests.kit.waiting import eventually
from tests.kit.wire import RawStream, make_task, make_tasks, open_raw, raw_answer, raw_stream

StartWorker = Callable[..., WorkerProcess]

#: How much a worker may grow, in bytes: less than a flood sends.
GROWTH = 64 * MIB


async def test_longest_texts(sim_bundle: Bundle) -> None:
    """The longest texts are all answered, though only a few at a time fit, and so is whoever asks meanwhile."""
    text = "harbour " * (MAX_CONTEXT_BYTES // 8)
    tasks = [make_task(f"t{number}", context=f"{text[:-8]}{number:07}") for number in range(16)]
    async with (
        serving(sim_bundle) as served,
        AsyncClient(served.address) as client,
        open_raw(served.address) as channel,
    ):

        async def answered() -> list[TaskResult]:
            return [result async for result in client.answer_all(tasks)]

        waiting = asyncio.create_task(answered())
        await eventually(lambda: served.rig.engine.held_windows > 0)
        asked = worker_pb2.AnswerRequest(task=make_task("beside").to_proto()).SerializeToString()
        assert (await raw_answer(channel, asked)).questions[0].answer is not None
        results = await waiting
        assert {task.id for task in tasks} == {result.id for result in results}
        assert all(result.questions[0].answer is not None for result in results)


async def test_overrun(sim_bundle: Bundle) -> None:
    """Tasks beyond the credit are refused one by one with a time to come back; after the fourth such frame the
    stream ends RESOURCE_EXHAUSTED, and what was taken in is withdrawn.
    """
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        slots = served.rig.block()
        stream = RawStream(channel)
        await stream.hello()
        credit = served.rig.engine.capacity_windows
        tasks = make_tasks(credit + 10)
        await stream.send_all(tasks[: credit - 1])
        await stream.send_tasks(tasks[credit - 1 :])
        heard = await stream.until(errors=10)
        assert [f"t{credit + number}" for number in range(10)] == [item.id for item in heard.errors]
        for number in range(1, OVERRUNS_ALLOWED):
            await stream.send_tasks(make_tasks(10, f"{number}."))
            await stream.until(errors=10 * (number + 1))
        await stream.send_tasks(make_tasks(10, "last."))
        with pytest.raises(aio.AioRpcError) as caught:
            await stream.until_end()
        assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
        assert "repeatedly" in (caught.value.details() or "")
        assert {int(ErrorCode.RESOURCE_EXHAUSTED)} == {int(item.error.code) for item in heard.errors}
        assert {1000} == {item.error.retry_after_ms for item in heard.errors}
        assert 10 * (OVERRUNS_ALLOWED + 1) == len(heard.errors)
        for slot in slots:
            slot.release()
        await served.rig.run(make_task("next"))
        assert (0, 1) == (served.rig.engine.held_windows, served.rig.engine.batches)


async def test_a_flood_without_end(start_worker: StartWorker) -> None:
    """Clients that send full frames without reading, each till it is shown the door, do not fill the memory."""
    worker = start_worker().wait_ready()
    context = "the harbour froze. " * 180  # 3.4 KB
    frame = [make_task(f"t{number}", context=f"{context}{number}") for number in range(250)]
    sizes = []
    async with open_raw(worker.address) as channel:
        for _ in range(16):
            stream = RawStream(channel)
            await stream.hello()
            for _ in range(8):  # 8 x 0.9 MB
                await stream.send_tasks([task.to_bytes() for task in frame])
            with pytest.raises(aio.AioRpcError) as caught:
                await stream.until_end()
            # INTERNAL is what grpc makes of a write that came after the end.
            assert caught.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL)
            sizes.append(worker.rss)
    growth = max(sizes) - sizes[3]  # after the first four: buffers are there by then
    print(f"worker grew by {growth / MIB:.1f} MiB over 12 floods of 7 MB")
    assert growth < GROWTH


async def test_a_flood_of_rubbish(start_worker: StartWorker) -> None:
    """A client that sends malformed tasks for ever and never reads is held back; memory stays flat."""
    worker = start_worker().wait_ready()
    async with (
        proxy_to(worker.address) as proxy,
        raw_stream(proxy.address) as stream,
        raw_stream(worker.address) as neighbour,
    ):
        before = worker.rss

        async def flood() -> None:
            while True:
                await stream.send_tasks([b"\xff"] * 256)

        flooding = asyncio.create_task(flood())
        for number in range(200):
            await neighbour.send_tasks([make_task(f"t{number}")])
            await neighbour.until(results=number + 1)
        growth = worker.rss - before
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
        proxy.cut()
        await asyncio.to_thread(worker.wait_for, "stream closed")
    print(f"worker grew by {growth / MIB:.1f} MiB while {stream.frames} frames of rubbish were sent")
    assert growth < GROWTH
