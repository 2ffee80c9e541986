"""Clients that are gone: killed, cut off, or asleep. The worker forgets them and what they wanted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from spanserve.client import AsyncClient, Dispatcher
from spanserve.contract.limits import MIB
from tests.faults.proxy import proxy_to
from tests.kit.ports import free_port
from tests.kit.processes import WorkerProcess
from tests.kit.wire import describe, holding, make_tasks, open_raw, raw_stream

StartWorker = Callable[..., WorkerProcess]

ROOT = Path(__file__).parent.parent.parent
IN_FLIGHT = 100
#: Questions of each neighbour of a slow reader, and answers of all of them for each frame that it reads.
PER_NEIGHBOUR = 3000
READ_EVERY = 2250
#: How much a worker may grow meanwhile, in bytes.
GROWTH = 64 * MIB
SLOW = "sim:fixed?latency_ms=300"


@pytest.fixture
def metrics() -> str:
    """An address that nobody listens on."""
    return f"127.0.0.1:{free_port()}"


async def forgotten(worker: WorkerProcess, metrics: str) -> None:
    """Wait until the worker holds nothing of the client; it must not have computed all of it."""
    closed = await asyncio.to_thread(worker.wait_for, "stream closed")
    assert closed["dropped"] > 0
    found = await holding(worker.address, 0)
    # Of 7 batches two were on the device when the client went, and one more may have got there.
    assert found.batches <= 3
    assert IN_FLIGHT == found.ended_questions  # cancelled ones end too
    gauges = await asyncio.to_thread(scrape, metrics)
    assert (0, 0) == (gauges["spanserve_streams"], gauges["spanserve_backlog_windows"])
    cancelled = gauges['spanserve_questions_total{outcome="cancelled"}']
    assert cancelled >= IN_FLIGHT - 3 * 16
    print(f"{cancelled:g} of {IN_FLIGHT} cancelled, {found.batches} batches computed, 0 streams left")


def scrape(address: str) -> dict[str, float]:
    """Every sample of a Prometheus endpoint, by name and labels."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


async def test_a_killed_client(start_worker: StartWorker, metrics: str) -> None:
    """Everything a client had in flight when it was killed is withdrawn, and its stream is gone."""
    worker = start_worker("--metrics", metrics, device=SLOW).wait_ready()
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.faults.vanishing_client",
        worker.address,
        str(IN_FLIGHT),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert client.stdout is not None
    assert b"sent\n" == await client.stdout.readline()
    await holding(worker.address, IN_FLIGHT)
    client.send_signal(signal.SIGKILL)
    await client.wait()
    await forgotten(worker, metrics)


async def test_a_cut_cable(start_worker: StartWorker, metrics: str) -> None:
    """Everything a client had in flight when its connection was cut is withdrawn, and its stream is gone."""
    worker = start_worker("--metrics", metrics, device=SLOW).wait_ready()
    async with proxy_to(worker.address) as proxy, raw_stream(proxy.address) as stream:
        await stream.send_all(make_tasks(IN_FLIGHT))
        await holding(worker.address, IN_FLIGHT)
        proxy.cut()
        await forgotten(worker, metrics)


async def test_a_stream_that_is_cancelled(start_worker: StartWorker, metrics: str) -> None:
    """A client that resets its stream, its connection staying, is forgotten just the same."""
    worker = start_worker("--metrics", metrics, device=SLOW).wait_ready()
    async with raw_stream(worker.address) as stream:
        await stream.send_all(make_tasks(IN_FLIGHT))
        await holding(worker.address, IN_FLIGHT)
        stream.call.cancel()
        await forgotten(worker, metrics)


async def test_a_dispatcher_through_a_bad_cable(start_worker: StartWorker) -> None:
    """A client whose connection is cut again and again loses no task and counts none twice."""
    worker = start_worker(device="sim:fixed?latency_ms=10").wait_ready()
    tasks = make_tasks(1500)
    counts: dict[str, int] = {}
    cuts = 0
    async with proxy_to(worker.address) as proxy:
        async for results in Dispatcher([proxy.address]).run(tasks):
            for result in results:
                assert result.questions[0].answer
                counts[result.id] = counts.get(result.id, 0) + 1
            if len(counts) >= (cuts + 1) * 200:
                proxy.cut()
                cuts += 1
    assert {task.id for task in tasks} == set(counts)
    assert cuts >= 5
    print(f"{cuts} cuts, {len(tasks)} tasks: 0 lost, {sum(n > 1 for n in counts.values())} delivered twice")


async def test_a_slow_reader_is_alone_in_being_slow(start_worker: StartWorker) -> None:
    """D51: a client that sends all it may and reads next to nothing slows down itself, not its three fast neighbours.

    Of four who send as fast as they may each would have a quarter of the device. What is computed for the one that does
    not read must stay below a twentieth, and so must not depend on what it may send.
    """
    worker = start_worker(device="sim:fixed?latency_ms=4").wait_ready()
    process = psutil.Process(worker.pid)
    async with (
        AsyncClient(worker.address) as one,
        AsyncClient(worker.address) as two,
        AsyncClient(worker.address) as three,
        raw_stream(worker.address) as slow,
    ):
        sent = got = 0

        async def send() -> None:
            nonlocal sent
            more, sent = slow.heard.credit - sent, slow.heard.credit
            await slow.send_tasks(make_tasks(more, f"{sent}-"))

        async def neighbour(client: AsyncClient, prefix: str) -> None:
            nonlocal got
            async for result in client.answer_all(make_tasks(PER_NEIGHBOUR, prefix)):
                assert result.questions[0].answer is not None
                got += 1
                if got % READ_EVERY == 0:
                    await slow.read()
                    await send()

        before = process.memory_info().rss
        await asyncio.gather(
            send(), *(neighbour(client, name) for client, name in ((one, "a"), (two, "b"), (three, "c")))
        )
        grown = process.memory_info().rss - before
        async with open_raw(worker.address) as channel:
            computed = (await describe(channel)).ended_questions
        share = got / computed
        print(f"{share:.1%} of the device for its neighbours; {sent} sent; grown by {grown / MIB:.1f} MiB")
        assert 3 * PER_NEIGHBOUR == got
        assert share >= 0.95
        assert grown < GROWTH
        while len(slow.heard.results) + len(slow.heard.errors) < sent:  # nothing of it is lost without a word
            await slow.read()
