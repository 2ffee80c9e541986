"""Fleets of real worker processes on simulated cards, and the rate that a client gets out of them."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from spanserve.client.grpc.channel import PLAINTEXT
from spanserve.client.grpc.transport import GrpcTransport
from spanserve.client.redis.transport import RedisTransport
from spanserve.client.transport import Transport
from spanserve.contract import Options, Task
from spanserve.queue import RedisSettings
from spanserve.squad import load_dataset
from tests.benchmarks.setup import DEMO_BUNDLE
from tests.kit.ports import free_port
from tests.kit.processes import WorkerProcess

#: Part of the questions, at the beginning and at the end of a run, that does not count.
EDGE = 0.1
WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Worker:
    """How a worker is started: its device, and its largest batch."""

    device: str
    max_batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A run through a fleet."""

    #: Questions per second between the edges.
    rate: float
    #: Batches of the card that had fewest, edges included.
    batches: int
    #: Useful tokens / tokens computed.
    useful: float
    #: Part of the host's processors that was busy, whoever used them.
    host: float


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a worker takes tasks, and where it tells its metrics; HOST:PORT."""

    address: str
    metrics: str


@contextlib.contextmanager
def fleet(
    workers: Sequence[Worker], redis: tuple[str, str] | None = None, slots: int = 3
) -> Iterator[list[Endpoint]]:
    """Start workers; yields where they are once all are ready.

    Args:
        redis: URL and queue to take tasks from as well.
        slots: batches with a card at a time; one more than it has lanes hides the worker's own time.
    """
    with contextlib.ExitStack() as stack:
        queue = ("--redis", redis[0], "--queue", redis[1]) if redis else ()
        started = []
        for worker in workers:
            metrics = f"127.0.0.1:{free_port('127.0.0.1')}"
            options = ["--bundle", str(DEMO_BUNDLE), "--device", worker.device, "--metrics", metrics, *queue]
            options += ["--max-batch-size", str(worker.max_batch), "--slots", str(slots)]
            started.append((stack.enter_context(WorkerProcess(*options)), metrics))
        yield [Endpoint(process.wait_ready().address, metrics) for process, metrics in started]


def work_for(workers: Sequence[Worker], dataset: Path, batches: int) -> list[Task]:
    """For every worker its own copy of passages from all over a data set, enough for so many of its full batches.

    Equal workers bring equal work, so that rates compare; shuffled, so that a rate is the same all the time.
    """
    tasks, _ = load_dataset(dataset).tasks("", Options())
    questions = sum(len(task.questions) for task in tasks)
    found = []
    for number, worker in enumerate(workers):
        step = max(1, questions // (batches * worker.max_batch))
        found += [replace(task, id=f"{task.id}-{number}") for task in tasks[::step]]
    random.Random(1).shuffle(found)
    return found


def transport_to(addresses: Sequence[str], redis: tuple[str, str] | None) -> Transport:
    """The way to a fleet: its queue if it has one, else its addresses."""
    if redis is None:
        return GrpcTransport(addresses, PLAINTEXT, WAIT_S)
    return RedisTransport(RedisSettings(url=redis[0]), redis[1], WAIT_S)


async def measure(
    endpoints: Sequence[Endpoint], tasks: Sequence[Task], redis: tuple[str, str] | None = None
) -> Measured:
    """Send tasks through a fleet, which has done nothing yet."""
    addresses = [endpoint.address for endpoint in endpoints]
    transport, direct = transport_to(addresses, redis), GrpcTransport(addresses, PLAINTEXT, WAIT_S)
    done: list[tuple[float, int]] = []  # seconds, questions in all
    answered = 0
    try:
        psutil.cpu_percent()
        async with contextlib.aclosing(transport.stream().run(tasks)) as arriving:
            async for results in arriving:
                answered += sum(len(result.questions) for result in results)
                assert not any(question.error for result in results for question in result.questions)
                done.append((time.monotonic(), answered))
        host = psutil.cpu_percent() / 100
        described = await direct.describe()
    finally:
        await transport.close()
        await direct.close()
    (began, first), (ended, last) = (
        next(entry for entry in done if entry[1] >= part * answered) for part in (EDGE, 1 - EDGE)
    )
    return Measured(
        rate=(last - first) / (ended - began),
        batches=min(worker.batches for worker in described.values()),
        useful=sum(w.useful_tokens for w in described.values())
        / sum(w.padded_tokens for w in described.values()),
        host=host,
    )
