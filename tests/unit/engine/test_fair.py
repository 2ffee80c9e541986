"""Fair queueing: who goes next, by identity, connection and stream."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.engine.caller import Caller
from spanserve.engine.fair import FORGOTTEN_AT, FairQueue


def caller(identity: str = "a", connection: str = "1", stream: str = "x", weight: float = 1.0) -> Caller:
    return Caller(identity, weight, connection, stream)


def served(queue: FairQueue[Caller], cost: float) -> Counter[Caller]:
    """Serve items of cost 1 until so much was spent."""
    return Counter(queue.pop() for _ in range(int(cost)))


def fill(queue: FairQueue[Caller], who: Caller, items: int = 1000, cost: float = 1.0) -> None:
    for _ in range(items):
        queue.push(who, who, cost)


def test_one_caller_in_order() -> None:
    """Items of one caller come by rank, and in the order they came where that is the same."""
    queue: FairQueue[str] = FairQueue()
    for item, rank in (("b", 1.0), ("a", 0.0), ("c", 1.0)):
        queue.push(caller(), item, 1.0, rank)
    assert ["a", "b", "c"] == [queue.pop() for _ in range(len(queue))]
    assert not queue


def test_costs_count_not_items() -> None:
    """One whose items cost 64 gets one for 64 of another's."""
    queue: FairQueue[Caller] = FairQueue()
    dear, cheap = caller("dear"), caller("cheap")
    fill(queue, dear, cost=64.0)
    fill(queue, cheap)
    counts = served(queue, 650)
    assert 10 == counts[dear]
    assert 640 == counts[cheap]


SHARES = {
    "identities-by-weight": ({"a1x": 1.0, "b1x": 3.0}, {"a1x": 0.25, "b1x": 0.75}),
    "connections-of-one-identity": (
        {"a1x": 1.0, "a2x": 1.0, "b1x": 1.0},
        {"a1x": 0.25, "a2x": 0.25, "b1x": 0.5},
    ),
    "streams-do-not-add-up": (
        {"a1x": 1.0, **{f"a2{name}": 1.0 for name in "pqrstuvw"}},
        {"a1x": 0.5, **{f"a2{name}": 0.0625 for name in "pqrstuvw"}},
    ),
}


@pytest.mark.parametrize(("weights", "shares"), SHARES.values(), ids=SHARES)
def test_shares(weights: dict[str, float], shares: dict[str, float]) -> None:
    """Who waits all the time gets the share of its identity, connection and stream."""
    queue: FairQueue[Caller] = FairQueue()
    callers = {name: Caller(name[0], weight, name[1], name[2]) for name, weight in weights.items()}
    for one in callers.values():
        fill(queue, one)
    counts = served(queue, 960)
    assert {name: 960 * share for name, share in shares.items()} == pytest.approx(
        {name: counts[one] for name, one in callers.items()}, abs=2
    )


def test_nobody_saves_up() -> None:
    """One that comes back from a pause is next, and from then on gets its share and no more."""
    queue: FairQueue[Caller] = FairQueue()
    steady, late = caller("steady"), caller("late")
    fill(queue, late, 1)
    fill(queue, steady, 2000)
    served(queue, 1000)
    fill(queue, late, 500)
    assert late == queue.pop()
    assert 50 == pytest.approx(served(queue, 100)[late], abs=1)


def test_new_streams_are_no_way_around() -> None:
    """A connection that opens a stream for every item gets what it would get with one."""
    queue: FairQueue[Caller] = FairQueue()
    plain = caller("a", "plain")
    fill(queue, plain)
    for number in range(500):
        many = caller("a", "many", f"s{number}")
        queue.push(many, many, 1.0)
    assert 200 == pytest.approx(served(queue, 400)[plain], abs=2)


def test_removed_items_are_not_charged() -> None:
    """What is taken out is gone, without charge, and the others keep their order."""
    queue: FairQueue[Caller] = FairQueue()
    gone, stays = caller("gone"), caller("stays")
    fill(queue, gone, 30, cost=100.0)
    fill(queue, stays, 5)
    assert [gone] * 30 == queue.remove(lambda item: item is gone)
    assert 5 == len(queue)
    assert Counter({stays: 5}) == served(queue, 5)
    assert not queue


def test_who_has_gone_is_forgotten() -> None:
    """Memory is that of who waits, not of who has ever waited."""
    queue: FairQueue[Caller] = FairQueue()
    fill(queue, steady := caller("a", "steady"), 5000)
    for number in range(2000):
        one = caller("a", f"c{number}")
        queue.push(one, one, 1.0)
        queue.pop(), queue.pop()
    (identity,) = queue._root.children.values()
    assert len(identity.children) <= FORGOTTEN_AT + 4
    while queue:
        queue.pop()
    assert not queue._root.children
    assert steady is not None


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("12"), st.sampled_from("xy"), st.floats(0.1, 64)),
        min_size=1,
        max_size=60,
    ),
    st.data(),
)
def test_work_conserving_and_complete(
    arrivals: list[tuple[str, str, str, float]], data: st.DataObject
) -> None:
    """As long as something waits something is served, each item once, by rank within its stream."""
    queue: FairQueue[tuple[Caller, int]] = FairQueue()
    waiting: list[tuple[Caller, int]] = []
    for number, (identity, connection, stream, cost) in enumerate(arrivals):
        item = caller(identity, connection, stream), number
        queue.push(item[0], item, cost, number)
        waiting.append(item)
        if data.draw(st.booleans()):
            found = queue.pop()
            assert found == next(one for one in waiting if one[0] == found[0])
            waiting.remove(found)
        assert len(waiting) == len(queue)
    assert {queue.pop() for _ in range(len(queue))} == set(waiting)
