"""Levels for people: a table, sentences, and a plot."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from spanserve.client.load.level import Level
from spanserve.client.load.sweep import knee
from spanserve.options.chart import Line, Panel, draw
from spanserve.options.terminal import Rows

#: Processors that this process may keep busy before what is measured is its own limit: it has one.
_BUSY = 0.85


def table(levels: Sequence[Level]) -> Rows:
    """A line for every level."""
    columns = "answers/s", "p50 ms", "p99 ms", "max ms", "answered", "errors", "cores"
    rows = Rows("load", *(f"{column} " for column in columns))
    for level in levels:
        times = [level.percentile_s(share) for share in (0.5, 0.99, 1.0)]
        rows.add_row(
            level.name,
            f"{level.rate:.1f}",
            *("-" if math.isnan(time) else f"{1000 * time:.1f}" for time in times),
            str(level.answered),
            ", ".join(f"{count} {name}" for name, count in level.errors.most_common()) or "0",
            f"{level.client_cores:.2f}",
        )
    return rows


def remarks(levels: Sequence[Level]) -> list[str]:
    """What a reader should know of these figures."""
    found = []
    bend = knee(levels)
    if bend is not None and sum(level.kind == "closed" for level in levels) > 1:
        found.append(
            f"knee: {bend.level.name} give {bend.level.rate:.1f} of {bend.most:.1f} answers/s "
            f"with a p99 of {1000 * bend.level.percentile_s(0.99):.1f} ms"
        )
    found += [
        f"{level.name}, {level.rate:.1f}/s were answered: the workers fell behind, "
        "and times grow with the seconds measured"
        for level in levels
        if not level.keeps_up
    ]
    if any(level.client_cores > _BUSY for level in levels):
        found.append(
            "this process itself was busy (cores: how many it used; it can use one): the rates "
            "may be its own limit; run several at once"
        )
    return found


def plot(levels: Sequence[Level], title: str) -> str:
    """Times over answered rates, as the text of an SVG file."""
    answered = [level for level in levels if level.answered]
    return draw(title, "answers per second", [_panel(answered, name, share) for name, share in _SHARES])


_SHARES = (("p50", 0.5), ("p99", 0.99))


def _panel(levels: Sequence[Level], name: str, share: float) -> Panel:
    def line(words: str, wanted: Callable[[Level], bool]) -> Line:
        points = [(_round(level.rate), 1000 * level.percentile_s(share)) for level in levels if wanted(level)]
        return Line(words, points)

    lines = (
        line("closed loop", lambda level: level.kind == "closed"),
        line("open loop", lambda level: level.kind == "open"),
    )
    return Panel(f"{name}, milliseconds to the answer", [line for line in lines if line.points])


def _round(rate: float) -> float:
    return round(rate) if rate >= 100 else round(rate, 1)
