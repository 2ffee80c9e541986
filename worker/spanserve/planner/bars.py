"""Utilisation and p99 by size of a fleet, drawn with characters."""

from __future__ import annotations

from spanserve.options.terminal import Rows
from spanserve.planner.search import Plan

#: Characters of a full bar.
_WIDTH = 24
#: A bar of p99 is full at so many times the limit.
_LIMITS = 2.0
_BLOCKS = "▏▎▍▌▋▊▉█"


def bars(plan: Plan, unit: str, p99_s: float, *, blocks: bool = True) -> Rows:
    """A line for every fleet that was played; the bars of p99 have a mark at the limit.

    Args:
        unit: what a fleet is made of.
        blocks: draw with block characters, not with ASCII.
    """
    chart = Rows(f"{unit} ", "utilisation", " ", f"p99, limit {1000 * p99_s:g} ms", "ms ")
    for fleet in plan.fleets:
        reached = _bar(fleet.p99_s / p99_s / _LIMITS, blocks=blocks).ljust(_WIDTH)
        chart.add_row(
            str(fleet.cards),
            _bar(fleet.utilisation, blocks=blocks),
            f"{fleet.utilisation:.2f}",
            _marked(reached, round(_WIDTH / _LIMITS), blocks=blocks),
            f"{1000 * fleet.p99_s:.1f}",
            style="bold" if fleet.cards == plan.needed else "",
        )
    return chart


def _bar(part: float, *, blocks: bool) -> str:
    """A part of the full width; what is beyond it ends in an arrow."""
    if part > 1 + 1e-9:
        return (_BLOCKS[-1] * (_WIDTH - 1) + "▶") if blocks else "#" * (_WIDTH - 1) + ">"
    if not blocks:
        return "#" * round(part * _WIDTH)
    whole, rest = divmod(round(max(part, 0.0) * _WIDTH * len(_BLOCKS)), len(_BLOCKS))
    return _BLOCKS[-1] * whole + (_BLOCKS[rest - 1] if rest else "")


def _marked(bar: str, place: int, *, blocks: bool) -> str:
    """A mark at a place that the bar does not reach."""
    if bar[place] != " ":
        return bar
    return bar[:place] + ("┊" if blocks else "|") + bar[place + 1 :]
