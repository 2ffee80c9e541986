"""`spanserve plan`."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from spanserve import demo
from spanserve.bundle import Bundle
from spanserve.device.host.cards import CARDS, DEFAULT_PRECISION
from spanserve.device.kinds import published
from spanserve.device.limits import MAX_BATCH, MAX_SLOTS
from spanserve.options import application
from spanserve.options.chart import Line, Panel, draw
from spanserve.options.terminal import Rows, Terminal
from spanserve.planner.bars import bars
from spanserve.planner.card import Setup
from spanserve.planner.load import (
    PlanError,
    make_arrivals,
    poisson,
    read_arrivals,
    read_windows,
    recorded_rate,
)
from spanserve.planner.profile import Profile
from spanserve.planner.search import Plan, make_plan

app = application()

#: Exit status if no fleet of the allowed sizes is enough.
EXIT_NOT_ENOUGH = 1
#: Questions played: so many seconds of them, within bounds that keep p99 meaningful and the wait short.
PLAYED_S = 10.0
PLAYED_QUESTIONS = (10_000, 200_000)
MAX_CARDS = 64

_EXAMPLES = """\b
Examples:
  spanserve plan --rate 5000 --p99 50 --profile mlu370-x8
  spanserve plan --rate 300 --p99 200 --profile mlu370-s4 --precision fp32 --plot plan.svg
  spanserve plan --rate 200 --p99 300 --bundle my.bundle
  spanserve plan --arrivals yesterday.txt --p99 100 --profile mlu370-x4 --lengths dev-v1.1.json --json
\b
Exit status: 0 found, 1 no allowed number of cards is enough, 2 bad options or files.
"""


@app.command("plan", epilog=_EXAMPLES)
def plan(
    p99: Annotated[float, typer.Option(help="Milliseconds in which 99 of 100 questions are answered.")],
    profile: Annotated[
        str | None,
        typer.Option(
            help=f"Card: {', '.join(CARDS)}. Default: the device that the bundle was built on, as measured."
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Questions per second. Default: that of the recorded arrivals.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help=f"Of a card, fp16 or fp32, default {DEFAULT_PRECISION}; or of the bundle's variants."
        ),
    ] = None,
    cards: Annotated[str, typer.Option(help="How many cards may be chosen, as A..B.")] = f"1..{MAX_CARDS}",
    arrivals: Annotated[
        str, typer.Option(help="poisson, or a file with one time in seconds per line; --rate stretches it.")
    ] = "poisson",
    lengths: Annotated[
        Path | None, typer.Option(help="Data set whose questions are asked. Default: the built-in ones.")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="Bundle whose tokenizer cuts them; without --profile its costs count too. Default: the built-in one."
        ),
    ] = None,
    max_batch_size: Annotated[
        int,
        typer.Option(
            help="Largest batch; 0: the largest published for the card, or that of the bundle.",
            min=0,
            max=MAX_BATCH,
        ),
    ] = 0,
    slots: Annotated[
        int, typer.Option(help="Batches that a card has at a time, as for a worker.", min=1, max=MAX_SLOTS)
    ] = 2,
    bulk: Annotated[
        bool, typer.Option("--bulk", help="Tasks of low priority: they may wait for better batches.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the random draws.")] = 1,
    plot: Annotated[
        Path | None, typer.Option(help="SVG file for a plot of p99 and utilisation by number of cards.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Find how many devices it takes to answer questions in time.

    The worker's own batcher and credit run in virtual time, with one question per task. Devices take as long as
    published for a card, or as measured for a bundle. Tokenising, network and decoding take no time here: see
    docs/benchmarks.md for what they cost.
    """
    _check_positive("p99", p99)
    console = Terminal(stderr=True)
    opened, device = _device(bundle or demo.BUNDLE, profile, precision, console)
    setup = Setup(
        profile=device,
        max_batch=_max_batch(max_batch_size, device, opened if profile is None else None),
        max_length=opened.manifest.max_seq_length,
        padded_length=opened.manifest.padded_length,
        slots=slots,
        interactive=not bulk,
    )
    chance = random.Random(seed)  # noqa: S311 - arrivals, no secret
    times = _times(arrivals, rate, chance)
    load = make_arrivals(times, read_windows(lengths or demo.QUESTIONS, opened), chance)
    unit = "cards" if profile else "devices"
    found = make_plan(
        setup,
        load,
        p99_s=p99 / 1000,
        cards=_range(cards),
        played=lambda figures: console.print(f"{figures.cards} {unit}: p99 {1000 * figures.p99_s:.1f} ms"),
    )
    name = device.name
    if plot is not None:
        drawn = _chart(found, f"{name}, {recorded_rate(times):.0f} questions/s", unit, p99)
        try:
            plot.write_text(drawn, "utf-8")
        except OSError as error:
            raise PlanError(f"{plot} cannot be written: {error.strerror}") from None
    if json_output:
        sys.stdout.write(json.dumps({"profile": name, **_content(found, recorded_rate(times), p99)}) + "\n")
    else:
        terminal = Terminal()
        terminal.print(_table(found, unit))
        terminal.print()
        terminal.print(bars(found, unit, p99 / 1000, blocks=terminal.encoding.startswith("utf")))
        terminal.print()
        terminal.print(_verdict(found, name, p99), soft_wrap=True)
    if found.needed is None:
        raise typer.Exit(EXIT_NOT_ENOUGH)


def _device(
    path: Path, profile: str | None, precision: str | None, console: Terminal
) -> tuple[Bundle, Profile]:
    """The bundle, and how fast the device is that is planned with."""
    if profile is not None:
        precision = precision or DEFAULT_PRECISION
        return Bundle.open(path), Profile.of_card(f"{profile} {precision}", published(profile, precision))
    bundle = Bundle.open(path, precision=precision)
    if not bundle.manifest.verification.windows:
        console.print(
            "the costs in this bundle are published figures: it was built without its device", soft_wrap=True
        )
    return bundle, Profile.of_bundle(bundle)


def _max_batch(asked: int, device: Profile, bundle: Bundle | None) -> int:
    """The largest batch; a bundle has no costs of larger ones than its own."""
    if bundle is not None and asked > bundle.manifest.max_batch_size:
        raise PlanError(
            f"max_batch_size is {asked}, the bundle takes at most {bundle.manifest.max_batch_size}"
        )
    return asked or device.max_batch


def _times(arrivals: str, rate: float | None, chance: random.Random) -> list[float]:
    if rate is not None:
        _check_positive("rate", rate)
    if arrivals != "poisson":
        return read_arrivals(Path(arrivals), rate)
    if rate is None:
        raise PlanError("rate is missing: Poisson arrivals need --rate")
    fewest, most = PLAYED_QUESTIONS
    return poisson(rate, min(max(fewest, round(rate * PLAYED_S)), most), chance)


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:  # NaN is refused as well
        raise PlanError(f"{name} is {value:g}: it must be a number above 0")


def _range(text: str) -> range:
    """`3` or `1..64`."""
    match = re.fullmatch(r"(\d{1,3})(?:\.\.(\d{1,3}))?", text, re.ASCII)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last <= MAX_CARDS:
        raise PlanError(f"cards is {text!r}: expected A..B between 1 and {MAX_CARDS}")
    return range(first, last + 1)


def _table(plan: Plan, unit: str) -> Rows:
    columns = unit, "utilisation", "p50 ms", "p99 ms", "useful/padded", "windows/batch", "answered/s"
    table = Rows(*(f"{column} " for column in columns))
    for fleet in plan.fleets:
        table.add_row(
            str(fleet.cards),
            f"{fleet.utilisation:.3f}",
            f"{1000 * fleet.p50_s:.1f}",
            f"{1000 * fleet.p99_s:.1f}",
            f"{fleet.useful:.3f}",
            f"{fleet.rows:.1f}",
            f"{fleet.rate:.0f}",
            style="bold" if fleet.cards == plan.needed else "",
        )
    return table


def _verdict(plan: Plan, name: str, p99: float) -> str:
    if plan.needed is None:
        if not plan.fleets[-1].keeps_up:
            return f"{plan.fleets[-1].cards} x {name}: not enough, they answer fewer questions than are asked"
        return f"{plan.fleets[-1].cards} x {name}: not enough for a p99 of {p99:g} ms"
    return f"{plan.needed} x {name} needed for a p99 of {p99:g} ms"


def _content(plan: Plan, rate: float, p99: float) -> dict[str, object]:
    return {
        "rate": rate,
        "p99_limit_s": p99 / 1000,
        "needed": plan.needed,
        "fleets": [dataclasses.asdict(fleet) for fleet in plan.fleets],
    }


def _chart(plan: Plan, title: str, unit: str, p99: float) -> str:
    def line(name: str, value: str, factor: float = 1.0) -> Line:
        return Line(name, [(fleet.cards, factor * getattr(fleet, value)) for fleet in plan.fleets])

    panels = (
        Panel("milliseconds to the answer", (line("p99", "p99_s", 1000), line("p50", "p50_s", 1000)), p99),
        Panel("share of the time or tokens", (line("utilisation", "utilisation"), line("useful", "useful"))),
    )
    return draw(title, unit, panels)
