"""The deque of tasks that have no result: who takes how much, and where lost tasks go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.client.pending import Pending
from spanserve.contract import Question, Task
from spanserve.contract.limits import MAX_ATTEMPTS, MAX_FRAME_BYTES, MAX_TASKS_PER_FRAME


def task(name: str, questions: int = 1, *, size: int = 1, attempt: int = 1) -> Task:
    asked = tuple(Question(f"q{number}", "who") for number in range(questions))
    return Task(id=name, context="c" * size, questions=asked, attempt=attempt)


def pending_of(*tasks: Task) -> Pending:
    pending = Pending()
    pending.add(tasks)
    return pending


def taken(pending: Pending, credit: int) -> list[str]:
    return [task.id for task, _ in pending.take(credit)]


# Tasks of 1, 2, 4 and 1 questions wait. A task goes out while credit is above zero, and may take it below.
CREDIT = {
    "none": (0, []),
    "below-zero": (-3, []),
    "one": (1, ["a"]),  # 1 - 1 = 0
    "two": (2, ["a", "b"]),  # 2 - 1 - 2 = -1
    "three": (3, ["a", "b"]),  # 3 - 1 - 2 = 0
    "four": (4, ["a", "b", "c"]),  # 4 - 1 - 2 - 4 = -3
    "plenty": (100, ["a", "b", "c", "d"]),
}


@pytest.mark.parametrize(("credit", "expected"), CREDIT.values(), ids=CREDIT)
def test_credit(credit: int, expected: list[str]) -> None:
    """Tasks are taken in order while credit, counted in questions, is above zero."""
    pending = pending_of(task("a"), task("b", 2), task("c", 4), task("d"))
    assert expected == taken(pending, credit)
    assert 4 - len(expected) == len(pending)


def test_what_is_taken_is_serialised() -> None:
    """With each task comes the form it has on the wire."""
    one = task("a", 3)
    ((found, data),) = pending_of(one).take(10)
    assert (one, one) == (found, Task.from_bytes(data))


def test_tasks_per_frame() -> None:
    """However much credit there is, a frame holds at most 256 tasks."""
    pending = pending_of(*(task(f"t{number}") for number in range(MAX_TASKS_PER_FRAME + 5)))
    assert [256, 5, 0] == [len(pending.take(10_000)) for _ in range(3)]


def test_bytes_per_frame() -> None:
    """A frame stays below half of what a frame may be; what does not fit stays first in line."""
    pending = pending_of(*(task(f"t{number}", size=49_000) for number in range(30)))
    first = pending.take(1000)
    assert MAX_FRAME_BYTES // 2 - 49_000 < sum(len(data) for _, data in first) <= MAX_FRAME_BYTES // 2
    assert f"t{len(first)}" == taken(pending, 1)[0]


@pytest.mark.parametrize("suspect", [False, True])
def test_give_back_goes_first(suspect: bool) -> None:
    """Tasks that come back go ahead of those that wait, the last one given first."""
    pending = pending_of(task("c"))
    pending.give_back([task("b"), task("a")], suspect=suspect)
    assert ["a", "b", "c"] == taken(pending, 10)


ATTEMPTS = {
    "in-order": (1, False, 1),
    "suspect": (1, True, 2),
    "again": (3, True, 4),
    "last": (MAX_ATTEMPTS - 1, True, MAX_ATTEMPTS),
    "no-further": (MAX_ATTEMPTS, True, MAX_ATTEMPTS),
}


@pytest.mark.parametrize(("attempt", "suspect", "expected"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_attempts(attempt: int, suspect: bool, expected: int) -> None:
    """A worker that broke down counts against what it held, up to the point where a task runs alone."""
    pending = Pending()
    pending.give_back([task("a", attempt=attempt)], suspect=suspect)
    assert [expected] == [found.attempt for found, _ in pending.take(1)]


def test_watchers_hear_of_every_change() -> None:
    """Adding, giving back and closing each wake everybody who watches."""
    pending = Pending()
    events = [asyncio.Event(), asyncio.Event()]
    for event in events:
        pending.watch(event)
    changes: list[Callable[[], None]] = [
        lambda: pending.add([task("a")]),
        lambda: pending.give_back([task("b")], suspect=False),
        pending.close,
    ]
    for change in changes:
        change()
        assert all(event.is_set() for event in events)
        for event in events:
            event.clear()
    assert pending.closed


@given(st.lists(st.integers(1, 8), max_size=40), st.lists(st.integers(-2, 30), max_size=60))
def test_nothing_is_lost(sizes: list[int], credits_: list[int]) -> None:
    """Whatever the credit, each task comes out once and in order, and only the last one may overdraw."""
    pending = pending_of(*(task(f"t{number}", size) for number, size in enumerate(sizes)))
    out = []
    for credit in credits_:
        batch = [found for found, _ in pending.take(credit)]
        assert sum(len(found.questions) for found in batch[:-1]) < max(credit, 1)
        out += batch
    out += [found for found, _ in pending.take(10_000)]
    assert [f"t{number}" for number in range(len(sizes))] == [found.id for found in out]
    assert 0 == len(pending)
