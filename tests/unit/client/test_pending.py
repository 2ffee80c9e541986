"""The deque of tasks that have no result: who takes how much, and where lost tasks go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.client.grpc.pending import Pending
from spanserve.contract import Task
from spanserve.contract.limits import MAX_ATTEMPTS, MAX_FRAME_BYTES, MAX_TASKS_PER_FRAME
from tests.kit.clock import Clock
from tests.kit.takers import Worker, pending_of, taken, task

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
    ((found, data),) = pending_of(one).take(Worker(), 10)
    assert (one, one) == (found, Task.from_bytes(data))


def test_tasks_per_frame() -> None:
    """However much credit there is, a frame holds at most 256 tasks."""
    pending = pending_of(*(task(f"t{number}") for number in range(MAX_TASKS_PER_FRAME + 5)))
    one = Worker()
    assert [256, 5, 0] == [len(one.take(pending, 10_000)) for _ in range(3)]


def test_bytes_per_frame() -> None:
    """A frame stays below half of what a frame may be; what does not fit stays first in line."""
    pending = pending_of(*(task(f"t{number}", size=49_000) for number in range(30)))
    first = pending.take(Worker(), 1000)
    assert MAX_FRAME_BYTES // 2 - 49_000 < sum(len(data) for _, data in first) <= MAX_FRAME_BYTES // 2
    assert f"t{len(first)}" == taken(pending, 1)[0]


@pytest.mark.parametrize("suspect", [False, True])
def test_give_back_goes_first(suspect: bool) -> None:
    """Tasks that come back go ahead of those that wait, the last one given first."""
    one = Worker()
    pending = pending_of(task("a"), task("b"), task("c"))
    assert ["a", "b"] == one.take(pending, 2)
    one.lose(pending, "b", "a", suspect=suspect)
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
    one = Worker()
    pending = pending_of(task("a", attempt=attempt))
    one.take(pending, 1)
    one.lose(pending, suspect=suspect)
    assert [expected] == [found.attempt for found, _ in pending.take(one, 1)]


def test_takers_hear_of_every_change() -> None:
    """Adding, giving back, completing and closing each wake everybody who watches."""
    pending = Pending()
    workers = [Worker(), Worker()]
    for worker in workers:
        pending.watch(worker)
    changes: list[Callable[[], None]] = [
        lambda: pending.add([task("a")]),
        lambda: workers[0].lose(pending),
        pending.complete,
        pending.close,
    ]
    for change in changes:
        workers[0].take(pending, 1)
        change()
        assert all(worker.wake.is_set() for worker in workers)
        for worker in workers:
            worker.wake.clear()
    assert pending.closed


async def test_who_holds_least_is_asked_first() -> None:
    """A new task goes to the worker that holds least, if that has credit."""
    pending = pending_of(task("a"), task("b"), task("c"))
    busy, idle = Worker(), Worker()
    woken: list[Worker] = []

    async def wait(worker: Worker) -> None:
        await worker.wake.wait()
        woken.append(worker)

    for worker, credit in ((busy, 2), (idle, 1)):
        pending.watch(worker)
        worker.take(pending, credit)
    waiting = [asyncio.create_task(wait(worker)) for worker in (busy, idle)]
    await asyncio.sleep(0)  # both wait now
    pending.add([task("d")])
    await asyncio.gather(*waiting)
    assert [idle, busy] == woken


# --- near the end ------------------------------------------------------------------------------------------


@given(st.data())
def test_every_task_ends_once(data: st.DataObject) -> None:
    """Whatever workers take, lose and answer: each task has one first result, and nothing is left over."""
    clock = Clock(0.0)
    pending = pending_of(
        *(task(f"t{number}") for number in range(data.draw(st.integers(1, 12)))), clock=clock
    )
    pending.complete()
    workers = [Worker() for _ in range(3)]
    ended: list[str] = []
    for _ in range(data.draw(st.integers(0, 60))):
        worker = data.draw(st.sampled_from(workers))
        clock.now += data.draw(st.sampled_from([0.0, 0.5, 30.0]))
        step = data.draw(st.sampled_from(["take", "answer", "lose"]))
        if step == "take":
            worker.take(pending, data.draw(st.integers(0, 4)))
        elif step == "lose":
            worker.lose(pending, suspect=data.draw(st.booleans()))
        elif names := [*worker.held, *worker.withdrawn]:
            name = data.draw(st.sampled_from(names))
            ended += [name] if worker.answer(pending, name) else []
        holders = [name for worker in workers for name in worker.held]
        assert set() == set(ended) & set(holders)
    for worker in workers:
        worker.lose(pending)
    rest = Worker().take(pending, 10_000)
    assert len({*ended, *rest}) == len(ended) + len(rest)
    assert {f"t{number}" for number in range(len(ended) + len(rest))} == {*ended, *rest}


@given(st.lists(st.integers(1, 8), max_size=40), st.lists(st.integers(-2, 30), max_size=60))
def test_nothing_is_lost(sizes: list[int], credits_: list[int]) -> None:
    """Whatever the credit, each task comes out once and in order, and only the last one may overdraw."""
    pending = pending_of(*(task(f"t{number}", size) for number, size in enumerate(sizes)))
    one = Worker()
    out = []
    for credit in credits_:
        batch = one.take(pending, credit)
        assert sum(len(one.held[name].questions) for name in batch[:-1]) < max(credit, 1)
        out += batch
    out += one.take(pending, 10_000)
    assert [f"t{number}" for number in range(len(sizes))] == out
    assert 0 == len(pending)
