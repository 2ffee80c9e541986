"""The search for the smallest fleet that answers in time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spanserve.planner.card import Setup
from spanserve.planner.fleet import Arrival, Figures, Fleet

#: Larger fleets that are played as well, to show what one more card would bring.
BEYOND = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Fleets that were played, smallest first, and the smallest that is enough; None if none was."""

    needed: int | None
    fleets: tuple[Figures, ...]


def least_cards(setup: Setup, arrivals: Sequence[Arrival]) -> int:
    """The fewest cards that could carry the load if every batch were full and without padding."""
    span = arrivals[-1].when - arrivals[0].when
    seconds = sum(
        setup.profile.seconds(setup.max_batch, window.tokens) / setup.max_batch
        for arrival in arrivals
        for window in arrival.windows
    )
    return max(1, math.ceil(seconds / setup.profile.lanes / span))


def make_plan(
    setup: Setup,
    arrivals: Sequence[Arrival],
    *,
    p99_s: float,
    cards: range,
    played: Callable[[Figures], None] = lambda figures: None,
) -> Plan:
    """Find the smallest fleet that keeps up, with a p99 within a limit: by doubling, then by halving.

    Args:
        cards: sizes that may be chosen, without gaps.
        played: called with every fleet.
    """
    fleets: dict[int, Figures] = {}

    def enough(size: int) -> bool:
        if size not in fleets:
            fleets[size] = Fleet(setup, size).run(arrivals)
            played(fleets[size])
        return fleets[size].keeps_up and fleets[size].p99_s <= p99_s

    largest = cards[-1]
    size = min(max(cards[0], least_cards(setup, arrivals)), largest)
    too_small = size - 1
    while not enough(size):
        if size == largest:
            return Plan(needed=None, fleets=_ordered(fleets))
        too_small, size = size, min(2 * size, largest)
    while size - too_small > 1:
        middle = (too_small + size) // 2
        if enough(middle):
            size = middle
        else:
            too_small = middle
    for more in range(size + 1, min(size + BEYOND, largest) + 1):
        enough(more)
    return Plan(needed=size, fleets=_ordered(fleets))


def _ordered(fleets: dict[int, Figures]) -> tuple[Figures, ...]:
    return tuple(fleets[size] for size in sorted(fleets))
