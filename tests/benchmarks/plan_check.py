"""The planner against the wall clock: the same questions at the same times, in virtual time and through real workers.

One question a task, Poisson arrivals, interactive; time is slowed down so that this host is not the limit. The
client is the product's own, fed as questions come.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spanserve.bundle import Bundle
from spanserve.client.channel import PLAINTEXT
from spanserve.client.connection import Connection, PinnedModel
from spanserve.client.pending import Pending
from spanserve.client.squad import load_dataset
from spanserve.client.workers import WorkersDoor
from spanserve.contract import Options, Priority, Task, TaskResult
from spanserve.device.host.cards import CARDS
from spanserve.qa import Encoder
from spanserve.worker.plan.card import Setup
from spanserve.worker.plan.fleet import EDGE, Arrival, Fleet
from spanserve.worker.plan.load import Windows, poisson
from tests.benchmarks.fleet import WAIT_S, Endpoint, Worker, fleet
from tests.benchmarks.setup import DEMO_BUNDLE, squad_file
from tests.faults.waiting import eventually

MAX_BATCH = 32
SLOTS = 3
#: How far the planner may be off.
TOLERANCE = 0.05
#: Questions are drawn from every n-th passage.
EVERY = 4


@dataclass(frozen=True, slots=True)
class Played:
    """What real workers made of the load; seconds of the clock, edges left out."""

    latencies: list[float]
    useful: float
    utilisation: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-scale", type=float, default=40.0)
    parser.add_argument("--profile", default="mlu370-x8")
    parser.add_argument("--cards", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2400.0, help="questions per second, time not slowed")
    parser.add_argument("--questions", type=int, default=4000)
    arguments = parser.parse_args()
    scale, card = arguments.time_scale, CARDS[arguments.profile]["fp16"]
    chance = random.Random(1)
    asked = chance.choices(questions_of(squad_file()), k=arguments.questions)
    times = poisson(arguments.rate, arguments.questions, chance)
    setup = Setup(
        card=card, max_batch=MAX_BATCH, max_length=384, length_multiple=16, slots=SLOTS, interactive=True
    )
    arrivals = [Arrival(when, windows) for when, (_, windows) in zip(times, asked, strict=True)]
    planned = Fleet(setup, arguments.cards).run(arrivals)
    tasks = [replace(task, id=f"t{number}") for number, (task, _) in enumerate(asked)]
    workers = [Worker(f"sim:{arguments.profile}?time_scale={scale:g}", MAX_BATCH)] * arguments.cards
    with fleet(workers, slots=SLOTS) as endpoints:
        lanes = arguments.cards * card.lanes
        played = asyncio.run(play(endpoints, tasks, [when * scale for when in times], lanes))
    milliseconds = [1000 * latency / scale for latency in sorted(played.latencies)]
    found = {
        "p50 ms": (1000 * planned.p50_s, milliseconds[len(milliseconds) // 2]),
        "p99 ms": (1000 * planned.p99_s, milliseconds[len(milliseconds) * 99 // 100]),
        "utilisation": (planned.utilisation, played.utilisation),
        "useful/padded": (planned.useful, played.useful),
    }
    print(
        f"{arguments.cards} x {arguments.profile}, {arguments.rate:g} questions/s, time slowed {scale:g} times"
    )
    for name, (virtual, real) in found.items():
        verdict = "" if abs(virtual / real - 1) <= TOLERANCE else f", beyond {TOLERANCE:.0%}"
        print(f"  {name}: planner {virtual:.3f}, workers {real:.3f}, {virtual / real - 1:+.1%}{verdict}")


def questions_of(dataset: Path) -> list[tuple[Task, Windows]]:
    """Questions of a data set, each as a task of its own and as windows."""
    bundle = Bundle.open(DEMO_BUNDLE)
    encoder = Encoder.of(bundle)
    tasks, _ = load_dataset(dataset).tasks("", Options())
    return [
        (replace(task, questions=(question,), priority=Priority.INTERACTIVE), encoded.windows)
        for task in tasks[::EVERY]
        for question, encoded in zip(task.questions, encoder.encode(task).questions, strict=True)
    ]


async def play(
    endpoints: Sequence[Endpoint], tasks: Sequence[Task], times: Sequence[float], lanes: int
) -> Played:
    """Send each task at its time, in seconds from now, through the client's own connections."""
    loop = asyncio.get_running_loop()
    pending, model = Pending(), PinnedModel()
    ended: dict[str, float] = {}
    everything = asyncio.Event()

    def deliver(result: TaskResult) -> None:
        assert result.questions[0].error is None
        ended[result.id] = loop.time()
        if len(ended) == len(tasks):
            everything.set()

    connections = [
        Connection(
            endpoint.address,
            tls=PLAINTEXT,
            pending=pending,
            deliver=deliver,
            model=model,
            chance=random.Random(1),
            client_name="plan_check",
        )
        for endpoint in endpoints
    ]
    running = [asyncio.create_task(connection.run()) for connection in connections]
    await eventually(lambda: all(connection.connected for connection in connections))
    began = loop.time()
    first, last = round(EDGE * len(tasks)), round((1 - EDGE) * len(tasks))
    busy: dict[int, float] = {}
    for number, (task, when) in enumerate(zip(tasks, times, strict=True)):
        await asyncio.sleep(max(0.0, began + when - loop.time()))
        if number in (first, last):
            busy[number] = sum([await asyncio.to_thread(device_seconds, endpoint) for endpoint in endpoints])
        pending.add([task])
    await everything.wait()
    pending.close()
    await asyncio.gather(*running)
    door = WorkersDoor([endpoint.address for endpoint in endpoints], PLAINTEXT, WAIT_S)
    described = (await door.describe()).values()
    await door.close()
    return Played(
        [ended[task.id] - began - when for task, when in list(zip(tasks, times, strict=True))[first:last]],
        sum(worker.useful_tokens for worker in described) / sum(worker.padded_tokens for worker in described),
        (busy[last] - busy[first]) / lanes / (times[last] - times[first]),
    )


def device_seconds(endpoint: Endpoint) -> float:
    """Seconds for which batches have run on the device of a worker."""
    with urllib.request.urlopen(f"http://{endpoint.metrics}/metrics") as page:
        text = page.read().decode()
    match = re.search(r"^spanserve_device_batch_seconds_sum (\S+)$", text, re.MULTILINE)
    assert match is not None, "every worker tells how long its device was busy"
    return float(match[1])


if __name__ == "__main__":
    main()
