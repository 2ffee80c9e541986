"""How the rate grows with the number of simulated cards, through either door, and what a mixed fleet gives.

Real worker processes; time is slowed down so that this host is not the limit. Every card gets the same work, so
that one card and eight run equally long; the first and the last tenth of a run do not count.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from spanserve.options.chart import Line, Panel, draw
from tests.benchmarks.fleet import Measured, Worker, fleet, measure, work_for
from tests.benchmarks.setup import ROOT, squad_file
from tests.kit.redis_server import RedisServer

#: Full batches of work that every card brings; four fifths of it count.
BATCHES = 80


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-scale", type=float, default=20.0)
    parser.add_argument("--cards", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--doors", nargs="+", default=["gRPC", "Redis"], choices=["gRPC", "Redis"])
    parser.add_argument("--max-batch-size", type=int, default=32)
    parser.add_argument("--plot", type=Path, default=ROOT / "docs/scaling.svg")
    arguments = parser.parse_args()
    scale = arguments.time_scale
    x8 = Worker(f"sim:mlu370-x8?time_scale={scale:g}", arguments.max_batch_size)
    s4 = Worker(f"sim:mlu370-s4?time_scale={scale:g}", 8)  # its largest published batch
    print(f"time runs {scale:g} times slower; rates are those of the cards, not slowed", flush=True)
    lines: list[Line] = []
    parts: list[Line] = []
    for door in arguments.doors:
        rates: dict[int, float] = {}
        for cards in arguments.cards:
            rates[cards] = run(door, [x8] * cards, scale)
        first = rates[min(rates)] / min(rates)
        for cards, rate in rates.items():
            print(f"{door}: {cards} X8, {rate / first / cards:.3f} of linear", flush=True)
        lines.append(Line(door, list(rates.items())))
        parts.append(Line(door, [(cards, rate / first / cards) for cards, rate in rates.items()]))
        single = run(door, [s4], scale)
        mixed = run(door, [x8, s4], scale)
        print(
            f"{door}: X8 and S4 together {mixed / (first + single):.3f} of the sum of both alone", flush=True
        )
    lines.append(Line("linear", [(cards, first * cards) for cards in arguments.cards]))
    panels = (Panel("questions per second", lines), Panel("part of linear", parts))
    title = f"Simulated MLU370-X8 fp16, time slowed {scale:g} times"
    arguments.plot.write_text(draw(title, "cards", panels), encoding="utf-8")


def run(door: str, workers: Sequence[Worker], scale: float) -> float:
    """Questions per second of card time."""
    tasks = work_for(workers, squad_file(), BATCHES)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        redis = None
        if door == "Redis":
            redis = (stack.enter_context(RedisServer(Path(folder) / "redis")).url, "scaling")
        endpoints = stack.enter_context(fleet(workers, redis))
        found: Measured = asyncio.run(measure(endpoints, tasks, redis))
    names = " + ".join(sorted({worker.device.split("?")[0] for worker in workers}))
    print(
        f"  {door}: {len(workers)} x {names}: {found.rate * scale:.0f} questions/s, "
        f"{found.batches} batches or more a card, useful/padded {found.useful:.3f}, host {found.host:.0%} busy",
        flush=True,
    )
    return found.rate * scale


if __name__ == "__main__":
    main()
