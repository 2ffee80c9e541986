"""Faults of every kind, for as long as wanted: `python -m tests.chaos --minutes 10`.

First the SIGKILLs of an evaluation, and tasks that kill whoever reads them; then, in turn, whole evaluations through
either door, crash points and storms, until the time is up. Ends with the classes of every scenario, and the seed. The
journals are kept.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable
from dataclasses import fields
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.ground import Ground
from tests.chaos.kills import crash, crash_points, poison, random_kills
from tests.chaos.rounds import evaluation_round
from tests.chaos.storm import storm
from tests.faults.oracle import Classes
from tests.kit.bundles import make_sim_bundle

#: SIGKILLs of one evaluation.
KILLS = 20
#: Crash points between two storms, and seconds of a storm.
POINTS = 8
STORM_S = 60.0
#: Seconds that are left for an evaluation at least.
ROUND_S = 60.0
#: Seconds that are left where there is time for what takes minutes.
LONG_S = 600.0
#: Seconds kept for the end of what has begun.
RESERVE_S = 20.0


class Report:
    """What became of every scenario."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, Classes | None, float]] = []

    async def add(self, name: str, scenario: Awaitable[Classes]) -> None:
        """Run a scenario; one that fails is told of, and the next has its turn."""
        print(f"{name}", flush=True)
        began = time.monotonic()
        classes = None
        try:
            classes = await scenario
        except Exception:
            traceback.print_exc()
        self.rows.append((name, classes, time.monotonic() - began))

    @property
    def failed(self) -> int:
        return sum(classes is None for _, classes, _ in self.rows)

    def table(self) -> Table:
        names = [one.name for one in fields(Classes)]
        table = Table("scenario", *(name.replace("_", " ") for name in names), "seconds")
        for name, classes, seconds in self.rows:
            counts = [str(getattr(classes, one)) for one in names] if classes else ["failed"] * len(names)
            table.add_row(name, *counts, f"{seconds:.0f}")
        return table


async def run(ground: Ground, kills: int) -> Report:
    report = Report()
    for first in range(0, kills, KILLS):
        count = min(KILLS, kills - first)
        await report.add(f"{count} kills", random_kills(ground, count))
    await report.add("poison for workers", poison(ground, 1))
    if ground.left_s > LONG_S:
        await report.add("five of it in a batch", poison(ground, 5))
    points = crash_points(ground)
    while ground.left_s > RESERVE_S:
        for through_queue in (True, False):
            if ground.left_s > ROUND_S:
                door = "queue" if through_queue else "gRPC"
                await report.add(f"evaluation, {door}", evaluation_round(ground, through_queue=through_queue))
        for _ in range(POINTS):
            if ground.left_s > RESERVE_S:
                point, passes = next(points)
                await report.add(f"{point} {passes}", crash(ground, point, passes))
        if ground.left_s > 2 * RESERVE_S:
            seconds = min(STORM_S, ground.left_s - RESERVE_S)
            await report.add(f"storm {seconds:.0f} s", storm(ground, seconds))
    return report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    parser.add_argument(
        "--kills", type=int, default=KILLS, help=f"before all else, {KILLS} in each evaluation"
    )
    parser.add_argument("--journals", type=Path, default=None, help="folder for journals and logs")
    arguments = parser.parse_args()
    folder = arguments.journals or Path(tempfile.mkdtemp(prefix="spanserve-chaos-"))
    print(f"seed {arguments.seed}, journals in {folder}", flush=True)
    ground = Ground(
        folder=folder,
        bundle=make_sim_bundle(folder / "bundle"),
        chance=random.Random(arguments.seed),
        deadline=time.monotonic() + 60 * arguments.minutes,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing it started is left behind
    report = asyncio.run(run(ground, arguments.kills))
    Console(width=200).print(report.table())
    deaths = arguments.kills + sum(classes.crashes for _, classes, _ in report.rows if classes)
    print(
        f"seed {arguments.seed}; {len(report.rows)} scenarios, {report.failed} failed; journals in {folder}"
    )
    if not report.failed:
        print(f"0 of {deaths} deaths lost a task: the chance of it is below {3 / deaths:.1%} (95 %)")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
