"""Connections that end by rule or by accident: too old, pinged too often, deaf; and a message that inflates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
import psutil
import pytest
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.client import AsyncClient
from spanserve.client.grpc import channel as channel_module
from spanserve.contract import Task, TaskResult
from spanserve.contract.limits import MIB
from spanserve.doors.grpc import server as server_module
from tests.faults.answers import request_of
from tests.faults.proxy import proxy_to
from tests.kit.processes import WorkerProcess
from tests.kit.serving import Served, serving
from tests.kit.waiting import eventually
from tests.kit.wire import make_task, make_tasks, open_raw, raw_answer, raw_stream

IN_FLIGHT = 100
#: Seconds within which a dead connection is noticed after `hasten`: well below a minute, which is gRPC's own.
KEEPALIVE_S = 20.0
#: What a message of a mebibyte on the wire may become, and what a worker may grow by while it refuses it.
INFLATED = 512 * MIB
GROWTH = 16 * MIB


def change(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, **options: int) -> None:
    """Give some gRPC options other values, in milliseconds; those of no value yet are added."""
    changed = {f"grpc.{option}": value for option, value in options.items()}
    monkeypatch.setattr(owner, name, tuple((dict(getattr(owner, name)) | changed).items()))


def hasten(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Divide the times of keepalive by a hundred; what the product does not set stays as gRPC has it."""
    monkeypatch.setattr(
        owner,
        name,
        tuple(
            (
                option,
                value // 100
                if option.endswith("_ms") and ("keepalive" in option or "ping" in option)
                else value,
            )
            for option, value in getattr(owner, name)
        ),
    )


async def answered(client: AsyncClient, tasks: list[Task]) -> dict[str, TaskResult]:
    """Have tasks answered, each once."""
    found: dict[str, TaskResult] = {}
    async for result in client.answer_all(tasks):
        assert result.id not in found
        assert all(question.answer is not None for question in result.questions)
        found[result.id] = result
    assert {task.id for task in tasks} == set(found)
    return found


def streams(served: Served) -> float:
    return float(served.rig.metrics.streams._value.get())


async def test_a_cable_that_goes_dead(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """D52: a client that falls silent without an end is forgotten, with all it wanted, once pings come back no more."""
    hasten(monkeypatch, server_module, "OPTIONS")
    async with serving(sim_bundle) as served, proxy_to(served.address) as proxy:
        slots = served.rig.block()
        async with raw_stream(proxy.address) as stream:
            await stream.send_all(make_tasks(IN_FLIGHT))
            await served.rig.entered(IN_FLIGHT)
            assert 1 == streams(served)
            proxy.half_open()
            await eventually(lambda: streams(served) == 0, patience_s=KEEPALIVE_S)
        for slot in slots:
            slot.release()
        await served.rig.run(make_task("next"))
        await served.rig.engine.idle.wait()
        assert (1, 0) == (served.rig.engine.batches, served.rig.engine.held_windows)


async def test_connections_of_a_short_life(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """D55: a worker that ends connections by their age costs a client new ones, and no task is lost or doubled."""
    change(monkeypatch, server_module, "OPTIONS", max_connection_age_ms=250, max_connection_age_grace_ms=100)
    opened = 0

    async with (
        serving(sim_bundle, "sim:fixed?latency_ms=10") as served,
        AsyncClient(served.address) as client,
    ):

        class Count:
            def stream_opened(self) -> None:
                nonlocal opened
                opened += 1

        served.rig.engine.observers.add(Count())
        await answered(client, make_tasks(1500))
    assert opened > 2
    print(f"{opened} streams for 1,500 tasks")


async def test_a_client_that_pings_too_often(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """D57: a client that is shown the door for a ping every second comes back, and gets its answers."""
    pings = {"keepalive_time_ms": 1000, "http2.max_pings_without_data": 0}
    change(monkeypatch, channel_module, "_OPTIONS", **pings)
    async with (
        serving(sim_bundle, "sim:fixed?latency_ms=5000") as served,
        AsyncClient(served.address) as client,
    ):
        found = await answered(client, make_tasks(2))
    ended = max(result.attempt for result in found.values()) - 1
    assert 1 <= ended <= 3
    print(f"{ended} connections ended under a task")


async def test_a_message_that_inflates(start_worker: Callable[..., WorkerProcess]) -> None:
    """D49: a message of a mebibyte that would become 512 is refused before it is, and the connection lives on."""
    worker = start_worker().wait_ready()
    process = psutil.Process(worker.pid)
    before = peak = process.memory_info().rss
    async with open_raw(worker.address) as channel:
        call: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/spanserve.v1.QuestionAnswering/Answer"
        )
        sending = asyncio.ensure_future(call(bytes(INFLATED), compression=grpc.Compression.Gzip, timeout=60))
        while not (await asyncio.wait((sending,), timeout=0.01))[0]:
            peak = max(peak, process.memory_info().rss)
        error = sending.exception()
        assert isinstance(error, aio.AioRpcError)
        assert grpc.StatusCode.RESOURCE_EXHAUSTED is error.code()
        assert "larger than max" in (error.details() or "")
        peak = max(peak, process.memory_info().rss)
        assert (await raw_answer(channel, request_of(make_task().to_proto()))).questions[0].answer is not None
    print(f"worker grew by {(peak - before) / MIB:.1f} MiB")
    assert peak - before < GROWTH
