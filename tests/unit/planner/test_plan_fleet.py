"""Fleets in virtual time: what one question, a full card and several cards make of it, by hand."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from spanserve.device.host.cards import CARDS, Card
from spanserve.engine.engine import HELD_BATCHES
from spanserve.planner.card import PlannedWindow, Setup
from spanserve.planner.fleet import EDGE, Arrival, Fleet
from spanserve.planner.load import make_arrivals, poisson
from spanserve.planner.profile import Profile
from spanserve.planner.search import least_cards, make_plan
from spanserve.planner.timeline import Timeline

X8 = CARDS["mlu370-x8"]["fp16"]
#: One lane; a batch of 1 to 8 windows of 128 tokens takes 1 s, so that batches of 8 are worth it.
FLAT = Card(1, (1, 8), (1.0, 8.0))


def setup_of(card: Card = FLAT, *, max_batch: int = 8, slots: int = 2, interactive: bool = True) -> Setup:
    return Setup(
        profile=Profile.of_card("card", card),
        max_batch=max_batch,
        max_length=384,
        padded_length=lambda tokens: min(-(-tokens // 16) * 16, 384),
        slots=slots,
        interactive=interactive,
    )


def at(*times: float, tokens: Sequence[int] = (128,)) -> list[Arrival]:
    """Questions at these times, each with windows of these tokens."""
    return [Arrival(when, tuple(map(PlannedWindow, tokens))) for when in times]


def runs(fleet: Fleet) -> list[tuple[float, float, int]]:
    """Beginning, end and rows of every batch, in order."""
    return sorted((run.began, run.ended, run.rows) for card in fleet.cards for run in card.runs)


def test_timeline() -> None:
    """Actions happen in the order of their times, at equal times in the order of asking, and may ask for more."""
    timeline = Timeline()
    done: list[tuple[float, str]] = []

    def first() -> None:
        done.append((timeline.now, "first"))
        timeline.at(2, lambda: done.append((timeline.now, "later")))
        timeline.at(0, lambda: done.append((timeline.now, "past is now")))

    timeline.at(3, lambda: done.append((timeline.now, "last")))
    timeline.at(1, first)
    timeline.at(1, lambda: done.append((timeline.now, "second")))
    timeline.run()
    assert [(1, "first"), (1, "second"), (1, "past is now"), (2, "later"), (3, "last")] == done


def test_one_lane() -> None:
    """A free card begins at once; what comes meanwhile shares the next batches."""
    fleet = Fleet(setup_of(), 1)
    fleet.run(at(0.0, 0.1, 0.2, 0.3))
    # At 0.1 the second slot takes the one row there is; the two behind it share the third batch.
    assert [(0.0, 1.0, 1), (1.0, 2.0, 1), (2.0, 3.0, 2)] == runs(fleet)


def test_two_lanes() -> None:
    """A card with two lanes computes two batches at a time; with one slot only one."""
    card = Card(2, (1, 8), (2.0, 16.0))
    for slots, second in ((2, 0.5), (1, 1.0)):
        fleet = Fleet(setup_of(card, slots=slots), 1)
        fleet.run(at(0.0, 0.5))
        assert [(0.0, 1.0, 1), (second, second + 1, 1)] == runs(fleet)


def test_the_last_window_ends_a_question() -> None:
    """A question of three windows on a card that takes two at a time has its answer after the second batch."""
    figures = Fleet(setup_of(max_batch=2, slots=1), 1).run(at(*range(0, 100, 10), tokens=(128, 128, 128)))
    assert 2.0 == figures.p50_s == figures.p99_s
    assert 23 / 15 == figures.rows  # 9 s to 81 s counts: 2 and 1 windows for each of seven, 2 of the eighth


def test_figures() -> None:
    """Utilisation, latency and padding leave the edges out."""
    times = [float(2 * number) for number in range(101)]  # 0 to 200: 20 to 180 counts
    figures = Fleet(setup_of(), 1).run(at(*times, tokens=(120,)))
    seconds = FLAT.seconds(1, 128)
    assert 0.1 == EDGE
    assert seconds == pytest.approx(1.0)
    assert 0.5 == pytest.approx(figures.utilisation)
    assert 120 / 128 == pytest.approx(figures.useful)
    assert (1, 1.0) == (figures.cards, figures.rows)
    assert 0.5 == pytest.approx(figures.rate)
    assert 1.0 == pytest.approx(figures.p50_s) == pytest.approx(figures.p99_s)


def test_the_least_loaded_card_is_chosen() -> None:
    """Each question goes to the card that holds least."""
    fleet = Fleet(setup_of(), 3)
    fleet.run(at(0.0, 0.1, 0.2, 1.05))
    assert [(0.0, 1.0, 1), (0.1, 1.1, 1), (0.2, 1.2, 1), (1.05, 2.05, 1)] == [
        pytest.approx(run) for run in runs(fleet)
    ]
    assert [2, 1, 1] == [len(card.runs) for card in fleet.cards]


def test_credit_holds_back() -> None:
    """A card is not sent more than it grants; the rest waits, and goes out with the credit that comes back."""
    capacity = HELD_BATCHES * 8
    fleet = Fleet(setup_of(), 1)
    (card,) = fleet.cards
    most = 0

    def watch() -> None:
        nonlocal most
        most = max(most, card.load)

    for when in range(200):
        fleet._timeline.at(0.001 + when, watch)
    fleet.run(at(*(0.0001 * number for number in range(1000))))
    assert capacity == most
    assert 1000 == sum(rows for *_, rows in runs(fleet))


def load(rate: float, count: int = 3000, seed: int = 1) -> list[Arrival]:
    chance = random.Random(seed)
    lengths = [(PlannedWindow(100),), (PlannedWindow(180),), (PlannedWindow(384), PlannedWindow(250))]
    return make_arrivals(poisson(rate, count, chance), lengths, chance)


def test_every_question_is_answered_once() -> None:
    """Whatever the load, every window is computed once, and the same load gives the same figures."""
    for cards, rate in ((1, 3000), (3, 3000), (8, 300)):
        arrivals = load(rate)
        fleet, again = Fleet(setup_of(X8, max_batch=64), cards), Fleet(setup_of(X8, max_batch=64), cards)
        assert fleet.run(arrivals) == again.run(arrivals)
        assert sum(len(arrival.windows) for arrival in arrivals) == sum(rows for *_, rows in runs(fleet))
        assert 3000 == len(fleet._ended)
        assert {0} == {card.load for card in fleet.cards}


def test_saturated_rate() -> None:
    """A card that never runs dry gives the rate of its full batches."""
    setup = setup_of(X8, max_batch=64, interactive=False)
    figures = Fleet(setup, 1).run(at(*(0.0001 * number for number in range(20_000))))
    assert 1.0 == pytest.approx(figures.utilisation)
    assert 64.0 == pytest.approx(figures.rows, abs=0.5)
    fleet = Fleet(setup, 1)
    fleet.run(at(*(0.0001 * number for number in range(20_000))))
    first, last = fleet.cards[0].runs[0].began, fleet.cards[0].runs[-1].ended
    assert X8.rates[-1] == pytest.approx(20_000 / (last - first), rel=0.01)


@pytest.mark.parametrize(("interactive", "expected"), [(True, [1, 1, 8]), (False, [1, 8, 1])])
def test_priority(interactive: bool, expected: list[int]) -> None:
    """Interactive questions are taken as they come; bulk ones let batches of a better rate go first."""
    card = Card(
        1, (1, 8), (1.0, 1.0)
    )  # per token all batches cost nearly the same: mixing lengths never pays
    fleet = Fleet(setup_of(card, slots=1, interactive=interactive), 1)
    short = at(*(0.3 + 0.01 * number for number in range(8)), tokens=(16,))
    fleet.run([*at(0.0, tokens=(128,)), *at(0.2, tokens=(384,)), *short])
    assert expected == [rows for *_, rows in runs(fleet)]


@pytest.mark.parametrize("p99_ms", [12, 20, 60])
def test_plan(p99_ms: float) -> None:
    """The plan names the smallest fleet that keeps the limit: one card less does not."""
    setup, arrivals = setup_of(X8, max_batch=64), load(4000)
    told: list[int] = []
    plan = make_plan(
        setup, arrivals, p99_s=p99_ms / 1000, cards=range(1, 65), played=lambda f: told.append(f.cards)
    )
    assert plan.needed is not None
    p99 = {fleet.cards: fleet.p99_s for fleet in plan.fleets}
    assert p99[plan.needed] <= p99_ms / 1000
    if plan.needed > least_cards(setup, arrivals):
        assert p99[plan.needed - 1] > p99_ms / 1000
    assert plan.needed + 2 in p99
    assert sorted(told) == list(p99)


def test_a_fleet_that_falls_behind_is_too_small() -> None:
    """However long questions may take: a fleet that answers fewer than come would need ever longer."""
    # 8.5 questions/s, and 8 that one card answers: padded from 113 tokens to 128, which `least_cards` does not see.
    setup = setup_of(Card(1, (8, 16), (8.0, 8.0)))
    arrivals = at(*(number / 8.5 for number in range(6000)), tokens=(113,))
    assert 1 == least_cards(setup, arrivals)
    plan = make_plan(setup, arrivals, p99_s=100, cards=range(1, 5))
    assert 2 == plan.needed
    alone, two, *_ = plan.fleets
    assert alone.p99_s < 100
    assert (False, True) == (alone.keeps_up, two.keeps_up)


def test_plan_within_a_range() -> None:
    """Where no allowed fleet is enough there is no answer, and the largest one was played."""
    plan = make_plan(setup_of(X8), load(4000), p99_s=0.001, cards=range(2, 6))
    assert (None, 5) == (plan.needed, plan.fleets[-1].cards)


def test_least_cards() -> None:
    """Below the least number of cards even full batches without padding are too slow."""
    # 1,000 questions of one window of 128 tokens in 99.9 s, 8 in a second: 125 s of work
    assert 2 == least_cards(setup_of(), at(*(0.1 * number for number in range(1000))))
