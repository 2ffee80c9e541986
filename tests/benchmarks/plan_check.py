"""The planner against the wall clock: the same questions at the same times, in virtual time and through real workers.

One question a task, Poisson arrivals, interactive; time is slowed down so that this host is not the limit. The
client is the product's own, fed as questions come.

Which questions share a batch hangs on microseconds, and p99 on a few questions in a batch: among equals it differs from
play to play. The planner plays the load many times, each arrival later by what a host may add, and says how far p99 is
spread; the workers' figure is one draw of the same spread, so that a run too short to tell is named as one.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import urllib.request
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from spanserve.bundle import Bundle
from spanserve.client.grpc.addresses import Endpoint as Target
from spanserve.client.grpc.call import dial_over_grpc
from spanserve.client.grpc.channel import PLAINTEXT
from spanserve.client.grpc.connection import Connection, PinnedModel
from spanserve.client.grpc.pending import Pending
from spanserve.contract import Options, Priority, Task, TaskResult
from spanserve.device.host.cards import CARDS
from spanserve.planner.card import Setup
from spanserve.planner.fleet import EDGE, Arrival, Figures, Fleet
from spanserve.planner.load import Windows, poisson
from spanserve.planner.profile import Profile
from spanserve.qa import Encoder
from spanserve.squad import load_dataset
from tests.benchmarks.fleet import Endpoint, Worker, fleet
from tests.benchmarks.setup import DEMO_BUNDLE, squad_file
from tests.kit.waiting import eventually

MAX_BATCH = 32
SLOTS = 3
#: How far the planner may be off.
TOLERANCE = 0.05
#: Questions are drawn from every n-th passage.
EVERY = 4
#: Times that the load is played in virtual time.
PLAYS = 20
#: Seconds, not slowed, that a host may take longer with one question than with another.
HOST_S = 0.004


@dataclass(frozen=True, slots=True)
class Played:
    """What real workers made of the load; seconds of the clock, edges left out."""

    latencies: list[float]
    useful: float
    utilisation: float


class Told(NamedTuple):
    """What workers have told of themselves up to a moment."""

    #: Seconds for which batches have run on their devices.
    busy: float
    useful_tokens: float
    padded_tokens: float


#: The metrics for these.
_TOLD = (
    "spanserve_device_batch_seconds_sum",
    "spanserve_useful_tokens_total",
    "spanserve_padded_tokens_total",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-scale", type=float, default=40.0)
    parser.add_argument("--profile", default="mlu370-x8")
    parser.add_argument("--cards", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2400.0, help="questions per second, time not slowed")
    parser.add_argument("--questions", type=int, default=12000)
    arguments = parser.parse_args()
    scale, card = arguments.time_scale, CARDS[arguments.profile]["fp16"]
    chance = random.Random(1)
    asked = chance.choices(questions_of(squad_file()), k=arguments.questions)
    times = poisson(arguments.rate, arguments.questions, chance)
    setup = Setup(
        profile=Profile.of_card("card", card),
        max_batch=MAX_BATCH,
        max_length=384,
        padded_length=Bundle.open(DEMO_BUNDLE).manifest.padded_length,
        slots=SLOTS,
        interactive=True,
    )
    arrivals = [Arrival(when, windows) for when, (_, windows) in zip(times, asked, strict=True)]
    planned = plan(setup, arguments.cards, arrivals, HOST_S / scale)
    tasks = [replace(task, id=f"t{number}") for number, (task, _) in enumerate(asked)]
    workers = [Worker(f"sim:{arguments.profile}?time_scale={scale:g}", MAX_BATCH)] * arguments.cards
    with fleet(workers, slots=SLOTS) as endpoints:
        lanes = arguments.cards * card.lanes
        played = asyncio.run(play(endpoints, tasks, [when * scale for when in times], lanes))
    milliseconds = [1000 * latency / scale for latency in sorted(played.latencies)]
    found = {
        "p50 ms": ([1000 * one.p50_s for one in planned], milliseconds[len(milliseconds) // 2]),
        "p99 ms": ([1000 * one.p99_s for one in planned], milliseconds[len(milliseconds) * 99 // 100]),
        "utilisation": ([one.utilisation for one in planned], played.utilisation),
        "useful/padded": ([one.useful for one in planned], played.useful),
    }
    print(
        f"{arguments.cards} x {arguments.profile}, {arguments.rate:g} questions/s, {arguments.questions} of them, "
        f"time slowed {scale:g} times"
    )
    for name, (virtual, real) in found.items():
        print(f"  {name}: {compared(virtual, real)}")


def plan(setup: Setup, cards: int, arrivals: Sequence[Arrival], host_s: float) -> list[Figures]:
    """Plays of one load in virtual time, each question later by what a host may add."""
    chance = random.Random(2)
    return [
        Fleet(setup, cards).run(
            sorted(
                (replace(arrival, when=arrival.when + chance.uniform(0, host_s)) for arrival in arrivals),
                key=lambda arrival: arrival.when,
            )
        )
        for _ in range(PLAYS)
    ]


def compared(virtual: Sequence[float], real: float) -> str:
    """The mean of many plays and their standard deviation, against one run of real workers."""
    mean, spread = statistics.mean(virtual), statistics.stdev(virtual)
    off = mean / real - 1
    verdict = "" if abs(off) <= TOLERANCE else f", beyond {TOLERANCE:.0%}"
    if 2 * spread > TOLERANCE * mean:
        verdict += ", too few questions to tell"
    return f"planner {mean:.3f} (one play +-{spread / mean:.1%}), workers {real:.3f}, {off:+.1%}{verdict}"


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
            Target(endpoint.address),
            dial=dial_over_grpc(PLAINTEXT),
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
    edge = EDGE * (times[-1] - times[0])
    first, last = bisect_left(times, times[0] + edge), bisect_right(times, times[-1] - edge)
    told: list[Told] = []
    for number, (task, when) in enumerate(zip(tasks, times, strict=True)):
        await asyncio.sleep(max(0.0, began + when - loop.time()))
        if number in (first, last):
            told.append(await asyncio.to_thread(ask, endpoints))
        pending.add([task])
    await everything.wait()
    pending.close()
    await asyncio.gather(*running)
    busy, useful, padded = (after - before for before, after in zip(*told, strict=True))
    counted = list(zip(tasks, times, strict=True))[first:last]
    return Played(
        [ended[task.id] - began - when for task, when in counted],
        useful / padded,
        busy / lanes / (times[last] - times[first]),
    )


def ask(endpoints: Sequence[Endpoint]) -> Told:
    """What the workers' metrics say, added up."""
    pages = [urllib.request.urlopen(f"http://{endpoint.metrics}/metrics").read() for endpoint in endpoints]
    return Told(*(sum(_value(name, page.decode()) for page in pages) for name in _TOLD))


def _value(name: str, page: str) -> float:
    match = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
    assert match is not None, f"every worker tells {name}"
    return float(match[1])


if __name__ == "__main__":
    main()
