"""Bars of a plan: as long as what they stand for, with the limit in sight."""

from __future__ import annotations

from rich.table import Table

from spanserve.planner.bars import bars
from spanserve.planner.fleet import Figures
from spanserve.planner.search import Plan


def figures(cards: int, utilisation: float, p99_s: float) -> Figures:
    return Figures(
        cards=cards,
        utilisation=utilisation,
        p50_s=0.001,
        p99_s=p99_s,
        useful=1.0,
        rows=1.0,
        rate=1.0,
        keeps_up=True,
    )


PLAN = Plan(needed=2, fleets=(figures(1, 1.0, 9.0), figures(2, 0.5, 0.05), figures(3, 0.01, 0.15)))


def columns(table: Table) -> list[list[str]]:
    return [[str(cell) for cell in column.cells] for column in table.columns]


def test_bars() -> None:
    """A bar of p99 is full at twice the limit and ends in an arrow beyond; one that is within it shows the mark."""
    sizes, used, shares, late, milliseconds = columns(bars(PLAN, "cards", 0.1))
    assert ["1", "2", "3"] == sizes
    assert ["█" * 24, "█" * 12, "▎"] == used
    assert ["1.00", "0.50", "0.01"] == shares
    assert ["█" * 23 + "▶", ("█" * 6).ljust(12) + "┊" + " " * 11, ("█" * 18).ljust(24)] == late
    assert ["9000.0", "50.0", "150.0"] == milliseconds


def test_bars_without_blocks() -> None:
    """Where the terminal has no block characters, ASCII draws the same."""
    _, used, _, late, _ = columns(bars(PLAN, "cards", 0.1, blocks=False))
    assert ["#" * 24, "#" * 12, ""] == used
    assert ["#" * 23 + ">", "######      |           ", "#" * 18 + " " * 6] == late
