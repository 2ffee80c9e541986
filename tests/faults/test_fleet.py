"""Runs over several workers, some of which die, freeze, join late or are cut off: every question once."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from spanserve.client import Dispatcher
from spanserve.client.evaluation.results import Results
from spanserve.client.grpc.connection import Connection
from spanserve.contract import Task
from tests.kit.fleets import HOST, UpProcess
from tests.kit.netns import Host, Network
from tests.kit.ports import free_ports
from tests.kit.processes import PATIENCE_S, ROOT, WorkerProcess
from tests.kit.waiting import eventually
from tests.kit.wire import make_task

StartWorker = Callable[..., WorkerProcess]
StartUp = Callable[..., UpProcess]

#: Slow enough for events to happen in the middle of a run.
DEVICE = "sim:fixed?latency_ms=100"
#: What happens once a share of the tasks has its results.
Events = Sequence[tuple[float, Callable[[], object]]]
#: The same in a run of a client on another host; they are told how many each address has answered.
ToldEvents = Sequence[tuple[float, Callable[[dict[str, int]], object]]]


class Impatient(random.Random):
    """Makes no client wait long before it tries again."""

    def uniform(self, a: float, b: float) -> float:
        return super().uniform(a, min(b, 0.5))


def tasks_of(count: int) -> list[Task]:
    return [
        make_task(f"t{n}", "Who said?", "When?", context=f"Anna Holm said {n} froze in 1871.")
        for n in range(count)
    ]


async def run(addresses: list[str], tasks: list[Task], events: Events = ()) -> Results:
    """A run, during which things happen; each task must come to its end once."""
    results = Results(question.id for task in tasks for question in task.questions)
    seen: set[str] = set()
    coming = list(events)
    async for arrived in Dispatcher(addresses, chance=Impatient()).run(tasks):
        for result in arrived:
            assert result.id not in seen
            seen.add(result.id)
            results.add(result)
        while coming and len(seen) >= coming[0][0] * len(tasks):
            await asyncio.to_thread(coming.pop(0)[1])
    assert [] == coming
    assert () == results.missing()
    return results


def check(calm: Results, stormy: Results) -> None:
    """Nothing lost, nothing twice, and the very answers of a run without events."""
    assert {} == calm.errors == stormy.errors
    assert 0 == stormy.duplicates
    assert set() == stormy.unexpected
    assert calm.answers == stormy.answers
    print(f"{len(stormy)} questions, by worker: {sorted(stormy.by_worker.values())}")


async def test_killed_frozen_and_late(start_worker: StartWorker) -> None:
    """Of four workers one is killed, one freezes and one joins late: the answers are those of a calm run."""
    late = f"{HOST}:{free_ports(1)}"
    first, killed, frozen = (start_worker(device=DEVICE).wait_ready() for _ in range(3))
    addresses = [first.address, killed.address, frozen.address]
    tasks = tasks_of(1200)
    calm = await run(addresses, tasks)
    stormy = await run(
        [*addresses, late],
        tasks,
        [
            (0.0, lambda: start_worker("--listen", late, device=DEVICE)),
            (0.1, lambda: killed.signal(signal.SIGKILL)),
            (0.2, lambda: frozen.signal(signal.SIGSTOP)),
        ],
    )
    check(calm, stormy)
    assert 4 == len(stormy.by_worker)


async def test_a_copy_that_freezes_too(start_worker: StartWorker) -> None:
    """Two of three workers freeze, the second with copies from the first: the third ends the run all the same."""
    workers = [start_worker(device=DEVICE).wait_ready() for _ in range(3)]
    dispatcher = Dispatcher([worker.address for worker in workers])
    first, *others = dispatcher.connections
    frozen: list[Connection] = []
    found: Counter[str] = Counter()

    async def consume() -> None:
        async for results in dispatcher.run(tasks_of(600)):
            found.update(result.id for result in results)
            # Before the streams of the frozen ones break, which gives their tasks back.
            assert all(connection.connected for connection in frozen)

    def freeze(connection: Connection) -> None:
        workers[dispatcher.connections.index(connection)].signal(signal.SIGSTOP)
        frozen.append(connection)

    def copying() -> Connection | None:
        return next((other for other in others if other.in_flight.keys() & first.in_flight.keys()), None)

    running = asyncio.create_task(consume())
    await eventually(lambda: first.answered > 0)
    freeze(first)
    await eventually(lambda: copying() is not None)
    second = copying()
    assert second is not None
    freeze(second)
    async with asyncio.timeout(PATIENCE_S):
        await running
    assert {task.id: 1 for task in tasks_of(600)} == found
    assert second.late
    assert first.late


async def test_killed_and_frozen_under_a_supervisor(start_up: StartUp) -> None:
    """A supervisor brings back the worker that was killed and the one that froze, and both work on in the run."""
    up = start_up("--watchdog", "2", workers=3, device=DEVICE)
    await asyncio.to_thread(up.wait_serving, 3)
    tasks = tasks_of(2400)
    calm = await run(up.addresses, tasks)
    stormy = await run(
        up.addresses,
        tasks,
        [
            (0.1, lambda: up.signal_worker(0, signal.SIGKILL)),
            (0.2, lambda: up.signal_worker(1, signal.SIGSTOP)),
        ],
    )
    check(calm, stormy)
    up.wait_for("worker hangs", device="sim:fixed#1")
    assert ["SIGKILL", "SIGKILL"] == [record["status"] for record in up.records("worker ended")]


async def run_on(host: Host, count: int, addresses: list[str], events: ToldEvents = ()) -> dict[str, Any]:
    """A run of a client on another host, during which things happen here; what it says in the end."""
    client = await asyncio.create_subprocess_exec(
        *(*host.prefix, sys.executable, "-m", "tests.faults.fleet_client", str(count), *addresses),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        limit=1 << 24,  # its last line
    )
    assert client.stdout is not None
    end: dict[str, Any] = {}
    coming = list(events)
    try:
        async with asyncio.timeout(2 * PATIENCE_S):
            async for line in client.stdout:
                end = json.loads(line)
                while coming and end.get("done", 0) >= coming[0][0] * count:
                    coming.pop(0)[1](end["shares"])
            assert 0 == await client.wait()
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()
    assert [] == coming
    return end


async def test_a_host_that_is_cut_off_and_back(start_worker: StartWorker) -> None:
    """Three hosts, a worker on each and the client on one: a cable that is pulled and put back costs no task."""
    count = 4000
    healed: dict[str, int] = {}
    with Network(3) as network:
        network.join()
        workers = [
            start_worker("--listen", f"{host.address}:50051", "--insecure", device=DEVICE, prefix=host.prefix)
            for host in network.hosts
        ]
        addresses = [worker.wait_ready().address for worker in workers]
        near, _, far = network.hosts

        def heal(shares: dict[str, int]) -> None:
            healed.update(shares)
            far.heal()

        calm = await run_on(near, count, addresses)
        stormy = await run_on(near, count, addresses, [(0.1, lambda _: far.cut()), (0.3, heal)])
    assert {f"t{n}": 1 for n in range(count)} == stormy["delivered"]
    assert calm["answers"] == stormy["answers"]
    assert stormy["shares"][addresses[2]] > healed[addresses[2]]
    print(
        f"{count} tasks, none lost, none twice; by host {sorted(stormy['shares'].values())}, "
        f"the far one {healed[addresses[2]]} before it was back"
    )
