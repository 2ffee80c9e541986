"""A fleet of cards in virtual time, fed by one client, and how it coped with a load."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from spanserve.engine.request import Request
from spanserve.engine.work import Window
from spanserve.planner.card import PlannedCard, PlayedBatch, Setup
from spanserve.planner.timeline import Timeline

#: Part of the arrivals, at the beginning and at the end, that does not count: the fleet fills and empties then.
EDGE = 0.1
#: Times the square root of what came, which is how far counts of random arrivals stray: a fleet that has fallen
#: behind by more is too small.
CHANCE = 3


@dataclass(frozen=True, slots=True)
class Arrival:
    """A question: when it comes, in seconds, and the windows it is cut into."""

    when: float
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How a fleet coped with a load; start and end are left out."""

    cards: int
    #: Part of the time that lanes were busy.
    utilisation: float
    #: Seconds from arrival to answer; of half of the questions, of 99 in 100.
    p50_s: float
    p99_s: float
    #: Useful tokens / tokens computed.
    useful: float
    #: Windows in a batch, on average.
    rows: float
    #: Questions answered per second.
    rate: float
    #: Whether as many were answered as came, but for chance. If not, p99 would grow with the length of the load.
    keeps_up: bool


class Fleet:
    """Sends each question to the card that holds least, among those with credit; the others wait for credit."""

    def __init__(self, setup: Setup, cards: int) -> None:
        self._timeline = Timeline()
        self._setup = setup
        self._waiting: deque[Arrival] = deque()
        self._ended: list[tuple[float, float]] = []  # arrival, end
        self.cards = [PlannedCard(self._timeline, setup, granted=self._granted) for _ in range(cards)]

    def run(self, arrivals: Sequence[Arrival]) -> Figures:
        """Play a load to its end; a fleet does so once."""
        for arrival in arrivals:
            self._timeline.at(arrival.when, partial(self._arrived, arrival))
        self._timeline.run()
        first, last = arrivals[0].when, arrivals[-1].when
        edge = EDGE * (last - first)
        return self._figures(first + edge, last - edge)

    def _arrived(self, arrival: Arrival) -> None:
        card = min((card for card in self.cards if card.credit > 0), key=_load, default=None)
        if card is None:
            self._waiting.append(arrival)
        else:
            self._send(card, arrival)

    def _granted(self, card: PlannedCard) -> None:
        while self._waiting and card.credit > 0:
            self._send(card, self._waiting.popleft())

    def _send(self, card: PlannedCard, arrival: Arrival) -> None:
        card.send(Request(arrival, 1, self._answered, arrival.when), arrival.windows)

    def _answered(self, request: Request[Arrival]) -> None:
        self._ended.append((request.arrived, self._timeline.now))

    def _figures(self, begin: float, end: float) -> Figures:
        runs = [run for card in self.cards for run in card.runs]
        busy = sum(max(0.0, min(run.ended, end) - max(run.began, begin)) for run in runs)
        inside: list[PlayedBatch] = [run for run in runs if begin <= run.began < end] or runs
        counted = [(came, ended) for came, ended in self._ended if begin <= came <= end] or self._ended
        latencies = sorted(ended - came for came, ended in counted)
        lanes = len(self.cards) * self._setup.profile.lanes
        answered = sum(begin <= ended < end for _, ended in self._ended)
        asked = sum(begin <= came < end for came, _ in self._ended)
        return Figures(
            cards=len(self.cards),
            utilisation=busy / (lanes * (end - begin)),
            p50_s=latencies[len(latencies) // 2],
            p99_s=latencies[len(latencies) * 99 // 100],
            useful=sum(run.useful_tokens for run in inside) / sum(run.padded_tokens for run in inside),
            rows=sum(run.rows for run in inside) / len(inside),
            rate=answered / (end - begin),
            keeps_up=asked - answered <= CHANCE * math.sqrt(asked),
        )


def _load(card: PlannedCard) -> int:
    return card.load
