"""The life of a worker as others see it: loading, serving, draining, gone."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from spanserve.bundle import Bundle
from spanserve.client import Dispatcher
from spanserve.contract import ErrorCode, Task, TaskResult
from spanserve.v1 import worker_pb2
from tests.kit.processes import WorkerProcess
from tests.kit.wire import RawStream, describe, holding, make_tasks, open_raw, raw_answer, raw_stream

StartWorker = Callable[..., WorkerProcess]

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
#: A device so slow that the goldens alone take longer than any test.
LOADING = "sim:fixed?latency_ms=50000"


async def health(channel: aio.Channel, service: str = "") -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    response = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=30)
    return int(response.status)


async def test_loading(start_worker: StartWorker) -> None:
    """While it loads a worker listens, describes itself, says NOT_SERVING, and refuses work with UNAVAILABLE."""
    worker = start_worker(device=LOADING)
    async with open_raw(worker.address) as channel:
        assert worker_pb2.WORKER_STATE_STARTING == (await describe(channel)).state
        assert NOT_SERVING == await health(channel)
        for attempt in (raw_answer(channel, b""), RawStream(channel).hello()):
            with pytest.raises(aio.AioRpcError) as caught:
                await attempt
            assert grpc.StatusCode.UNAVAILABLE is caught.value.code()
            assert "starting" in (caught.value.details() or "")


async def test_health_names(start_worker: StartWorker, sim_bundle: Bundle) -> None:
    """A ready worker says SERVING for itself, for its service and for its model, and knows no other name."""
    worker = start_worker().wait_ready()
    manifest = sim_bundle.manifest
    async with open_raw(worker.address) as channel:
        for name in ("", "spanserve.v1.QuestionAnswering", f"model/{manifest.name}@{manifest.digest}"):
            assert SERVING == await health(channel, name)
        with pytest.raises(aio.AioRpcError) as caught:
            await health(channel, "model/another")
        assert grpc.StatusCode.NOT_FOUND is caught.value.code()


async def test_sigterm_while_loading(start_worker: StartWorker) -> None:
    """A worker told to stop while it loads exits at once with status 0, its host with it."""
    worker = start_worker(device=LOADING)
    worker.wait_for("listening")
    worker.signal(signal.SIGTERM)
    assert 0 == worker.wait()
    assert [] == worker.records("ready")


async def statuses(channel: aio.Channel) -> AsyncIterator[int]:
    """What health says, each time it changes."""
    async for response in health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()):
        yield int(response.status)


async def test_draining(start_worker: StartWorker) -> None:
    """A worker told to stop says NOT_SERVING, tells its streams, refuses new work, finishes what it holds, says Bye."""
    worker = start_worker("--slots", "1", device="sim:fixed?latency_ms=400").wait_ready()
    async with open_raw(worker.address) as channel, raw_stream(worker.address) as stream:
        watch = statuses(channel)
        assert SERVING == await anext(watch)
        await stream.send_tasks(make_tasks(32))  # two batches, 0.8 s
        await holding(worker.address, 32)
        worker.signal(signal.SIGTERM)
        assert NOT_SERVING == await anext(watch)
        await stream.until_draining()
        await stream.send_tasks(make_tasks(2, "late"))
        with pytest.raises(aio.AioRpcError) as caught:
            await RawStream(channel).hello()
        assert grpc.StatusCode.UNAVAILABLE is caught.value.code()
        heard = await stream.until_end()
        assert {f"t{number}" for number in range(32)} == set(heard.results)
        assert all(result.questions[0].answer for result in heard.results.values())
        assert ["late0", "late1"] == [item.id for item in heard.errors]
        assert {int(ErrorCode.UNAVAILABLE)} == {int(item.error.code) for item in heard.errors}
        assert heard.bye is not None
        assert "shuts down" in heard.bye.reason
    assert 0 == await asyncio.to_thread(worker.wait)
    assert worker.records("drained")[0]["finished"] is True


async def test_delay_before_draining(start_worker: StartWorker) -> None:
    """Between NOT_SERVING and Draining a worker serves on, so that balancers have time to look elsewhere."""
    worker = start_worker("--drain-delay", "30").wait_ready()
    async with open_raw(worker.address) as channel, raw_stream(worker.address) as stream:
        watch = statuses(channel)
        assert SERVING == await anext(watch)
        worker.signal(signal.SIGTERM)
        assert NOT_SERVING == await anext(watch)
        await stream.send_tasks(make_tasks(3))
        await stream.until(results=3)
        assert not stream.heard.draining
        worker.signal(signal.SIGTERM)
        heard = await stream.until_end()
        assert heard.draining  # told for once, however short the time: a client looks elsewhere then
    assert 0 == await asyncio.to_thread(worker.wait)  # nothing was held: nothing was cut short


async def test_told_twice(start_worker: StartWorker) -> None:
    """A second SIGTERM cuts the drain short: what is held ends UNAVAILABLE, and the exit status is 1."""
    worker = start_worker(device="sim:fixed?latency_ms=2000").wait_ready()
    async with raw_stream(worker.address) as stream:
        await stream.send_tasks(make_tasks(64))
        await holding(worker.address, 64)
        worker.signal(signal.SIGTERM)
        await stream.until_draining()
        worker.signal(signal.SIGTERM)
        heard = await stream.until_end()
        assert 64 == len(heard.results)
        codes = {q.error.code if q.error else None for r in heard.results.values() for q in r.questions}
        assert {ErrorCode.UNAVAILABLE} == codes
    assert 1 == await asyncio.to_thread(worker.wait)
    assert worker.records("drained")[0]["finished"] is False


async def test_hangup(start_worker: StartWorker) -> None:
    """SIGHUP, of a terminal that is closed, drains like SIGTERM; that the shell tells it again cuts nothing short."""
    worker = start_worker(device="sim:fixed?latency_ms=100").wait_ready()
    async with raw_stream(worker.address) as stream:
        await stream.send_tasks(make_tasks(64))
        await holding(worker.address, 64)
        worker.signal(signal.SIGHUP)
        await stream.until_draining()
        worker.signal(signal.SIGHUP)
        heard = await stream.until_end()
        assert 64 == len(heard.results)
        assert [] == [q.error for r in heard.results.values() for q in r.questions if q.error]
    assert 0 == await asyncio.to_thread(worker.wait)
    assert worker.records("drained")[0]["finished"] is True


async def test_not_drained_in_time(start_worker: StartWorker) -> None:
    """What is not finished within the drain time ends UNAVAILABLE, and the exit status is 1."""
    device = "sim:fixed?latency_ms=2000"
    worker = start_worker("--drain-timeout", "0.1", device=device).wait_ready()
    async with raw_stream(worker.address) as stream:
        await stream.send_tasks(make_tasks(16))
        await holding(worker.address, 16)
        worker.signal(signal.SIGTERM)
        heard = await stream.until_end()
        assert 16 == len(heard.results)
    assert 1 == await asyncio.to_thread(worker.wait)


async def test_refused_frames_do_not_hold_up_a_drain(start_worker: StartWorker) -> None:
    """After a frame of which nothing was accepted a worker still drains at once."""
    worker = start_worker().wait_ready()
    async with raw_stream(worker.address) as stream:
        await stream.send_tasks([b"\xff"])
        await stream.until(errors=1)
        worker.signal(signal.SIGTERM)
        await stream.until_end()
    assert 0 == await asyncio.to_thread(worker.wait)


async def test_eight_streams_move_to_another_worker(start_worker: StartWorker) -> None:
    """When one of two workers drains under eight loaded streams, every task still ends once: there or elsewhere."""
    device = "sim:fixed?latency_ms=20"
    leaving, staying = start_worker(device=device), start_worker(device=device)
    addresses = [leaving.wait_ready().address, staying.wait_ready().address]
    runs = [make_tasks(300, f"r{run}.") for run in range(8)]
    counts: Counter[str] = Counter()
    by_worker: Counter[str] = Counter()
    enough = asyncio.Event()

    async def evaluate(tasks: list[Task]) -> dict[str, TaskResult]:
        first: dict[str, TaskResult] = {}
        async for results in Dispatcher(addresses).run(tasks):
            for result in results:
                counts[result.id] += 1
                by_worker[result.worker] += 1
                first.setdefault(result.id, result)
            if sum(counts.values()) > 400:
                enough.set()
        return first

    async with raw_stream(leaving.address) as watcher:
        evaluations = asyncio.gather(*(evaluate(tasks) for tasks in runs))
        await enough.wait()
        leaving.signal(signal.SIGTERM)
        await watcher.until_draining()
        assert 0 == await asyncio.to_thread(leaving.wait)
        found: dict[str, Any] = {}
        for first in await evaluations:
            found |= first
    expected = {task.id for tasks in runs for task in tasks}
    assert expected == set(found)  # 0 lost
    assert [] == [name for name, count in counts.items() if count > 1]  # 0 twice
    assert all(question.answer for result in found.values() for question in result.questions)
    assert leaving.records("drained")[0]["finished"] is True
    assert min(by_worker.values()) > 0
    print(f"2,400 tasks, 8 streams, by worker {sorted(by_worker.values())}: 0 lost, 0 twice")
