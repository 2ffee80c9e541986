"""The deque of tasks near the end of a run: how it is shared out, and what is taken twice."""

from __future__ import annotations

import pytest

from spanserve.client.grpc.pending import LATE_FACTOR, LATE_S, LEAST_SHARE, VERY_LATE_S, Pending
from spanserve.contract.limits import MAX_ATTEMPTS
from spanserve.engine.batch_time import BATCH_TIMEOUT_S
from tests.kit.clock import Clock
from tests.kit.takers import Worker, pending_of, task


def near_the_end(count: int) -> tuple[Pending, Worker, Worker]:
    """Tasks t0, t1, ..., all late with the first worker; the second has nothing."""
    clock = Clock(0.0)
    pending = pending_of(*(task(f"t{number}") for number in range(count)), clock=clock)
    pending.complete()
    one, other = Worker(), Worker()
    one.take(pending, count)
    clock.now += 2 * VERY_LATE_S
    return pending, one, other


# Tasks, workers, whether more tasks may come, and how many of them the first worker gets.
SHARES = {
    "half": (100, 2, True, 50),
    "rounded-up": (101, 2, True, 51),
    "few-tasks": (40, 2, True, LEAST_SHARE),
    "fewer-than-a-share": (20, 2, True, 20),
    "alone": (100, 1, True, 100),
    "more-to-come": (100, 2, False, 100),
}


@pytest.mark.parametrize(("tasks", "workers", "complete", "expected"), SHARES.values(), ids=SHARES)
def test_shares(tasks: int, workers: int, complete: bool, expected: int) -> None:
    """Who connects first leaves their part to the others, and takes more only as results come."""
    pending = pending_of(*(task(f"t{number}") for number in range(tasks)))
    if complete:
        pending.complete()
    first, *_ = made = [Worker() for _ in range(workers)]
    for worker in made:
        pending.watch(worker)
    names = first.take(pending, 1000)
    assert expected == len(names)
    assert [] == first.take(pending, 1000)
    for name in names[:LEAST_SHARE]:
        first.answer(pending, name)
    assert bool(first.take(pending, 1000)) == (expected < tasks)


def test_an_idle_worker_takes_again() -> None:
    """When nothing waits or comes, a worker without work takes every second late task of others, the oldest first."""
    pending, _, idle = near_the_end(5)
    assert ["t0", "t2", "t4"] == idle.take(pending, 10)
    assert 3 == pending.copies


# Answer times (s), and after how many seconds a task is late.
LATE = {
    "nothing-known": ([], VERY_LATE_S),
    "short": ([0.001] * 3, LATE_S),
    "long": ([2.0, 4.0, 90.0], LATE_FACTOR * 4.0),
    "very-long": ([40.0], LATE_FACTOR * 40.0),
}


@pytest.mark.parametrize(("answer_times", "expected"), LATE.values(), ids=LATE)
def test_late(answer_times: list[float], expected: float) -> None:
    """A task may be taken again once it has been held for longer than answers take, by the median so far."""
    clock = Clock(0.0)
    pending = pending_of(*(task(f"t{number}") for number in range(1 + len(answer_times))), clock=clock)
    pending.complete()
    one, idle = Worker(), Worker()
    for seconds in answer_times:
        (name,) = one.take(pending, 1)
        clock.now += seconds
        one.answer(pending, name)
    (name,) = one.take(pending, 1)
    clock.now += expected
    assert [] == idle.take(pending, 1)
    clock.now += 0.001
    assert [name] == idle.take(pending, 1)


@pytest.mark.parametrize("batches", range(1, 9))
def test_a_healthy_run_is_computed_once(batches: int) -> None:
    """A worker that took a whole small run and answers it batch by batch keeps it, however long a batch takes."""
    clock = Clock(0.0)
    size, batch_s = 16, 5.0
    pending = pending_of(*(task(f"t{number}") for number in range(size * batches)), clock=clock)
    pending.complete()
    one, idle = Worker(), Worker()
    names = one.take(pending, 1000)
    while names:
        assert [] == idle.take(pending, 1000)
        clock.now += batch_s
        for name in names[:size]:
            assert one.answer(pending, name)
        del names[:size]
    assert 0 == pending.copies


# Of six tasks one worker holds some; the other one may hold one, and asks for more.
NO_COPY = {
    "something-waits": (5, 0, 10, True, ["t5"]),  # what waits comes first, and then it has work
    "has-work": (5, 1, 10, True, []),
    "no-credit": (6, 0, 0, True, []),
    "more-may-come": (6, 0, 10, False, []),
}


@pytest.mark.parametrize(("others", "own", "credit", "complete", "expected"), NO_COPY.values(), ids=NO_COPY)
def test_no_copy(others: int, own: int, credit: int, complete: bool, expected: list[str]) -> None:
    """Nothing is taken twice while something waits or may come, by a worker that has work, or without credit."""
    clock = Clock(0.0)
    pending = pending_of(*(task(f"t{number}") for number in range(6)), clock=clock)
    if complete:
        pending.complete()
    one, other = Worker(), Worker()
    one.take(pending, others)
    other.take(pending, own)
    clock.now += 2 * VERY_LATE_S
    assert expected == other.take(pending, credit)
    assert 0 == pending.copies


def test_credit_bounds_copies() -> None:
    """Copies use credit like any task."""
    pending, _, idle = near_the_end(10)
    assert ["t0", "t2"] == idle.take(pending, 2)


@pytest.mark.parametrize(("answer_s", "first_s"), [(0.001, VERY_LATE_S), (20.0, LATE_FACTOR * 20.0)])
def test_every_further_worker_waits_longer(answer_s: float, first_s: float) -> None:
    """A task that two workers hold goes to a third only when it is very late with the second, and so on."""
    clock = Clock(0.0)
    pending = pending_of(task("t0"), task("t1"), clock=clock)
    pending.complete()
    workers = [Worker() for _ in range(5)]
    workers[0].take(pending, 1)
    clock.now += answer_s
    workers[0].answer(pending, "t0")
    assert ["t1"] == workers[0].take(pending, 1)
    for worker, limit_s in zip(
        workers[1:], (max(LATE_S, 3 * answer_s), first_s, 2 * first_s, 4 * first_s), strict=True
    ):
        clock.now += limit_s
        assert [] == worker.take(pending, 1)
        clock.now += 0.001
        assert ["t1"] == worker.take(pending, 1)
    assert 4 == pending.copies
    assert workers[4].answer(pending, "t1")
    assert [["t1"]] * 4 == [worker.withdrawn for worker in workers[:4]]


def test_what_hangs_devices_comes_to_few() -> None:
    """A task on which every device hangs has come to five workers of an idle fleet when the first gives it up."""
    clock = Clock(0.0)
    pending = pending_of(task("short"), task("hangs"), clock=clock)
    pending.complete()
    workers = [Worker() for _ in range(16)]
    workers[0].take(pending, 1)
    workers[0].answer(pending, "short")
    workers[0].take(pending, 1)
    while clock.now < MAX_ATTEMPTS * BATCH_TIMEOUT_S:
        clock.now += 0.25
        for worker in workers[1:]:
            if not worker.held:
                worker.take(pending, 1)
    assert 5 == sum(worker.load for worker in workers)


def test_own_tasks_are_not_taken_again() -> None:
    """Where one worker holds everything there is nothing to copy for it."""
    pending, one, _ = near_the_end(3)
    assert [] == one.take(pending, 10)


@pytest.mark.parametrize("first", [0, 1], ids=["owner", "copier"])
def test_the_first_result_counts(first: int) -> None:
    """Whoever answers first ends the task; the other one is told, and its result does not count."""
    pending, one, other = near_the_end(1)
    other.take(pending, 1)
    winner, loser = (one, other) if first == 0 else (other, one)
    assert winner.answer(pending, "t0")
    assert (["t0"], {}) == (loser.withdrawn, loser.held)
    assert not loser.answer(pending, "t0")
    assert [] == winner.withdrawn


def test_a_lost_copy_is_still_with_the_other() -> None:
    """A task that one of two workers loses does not wait again before the other loses it; its attempts count."""
    pending, one, other = near_the_end(1)
    other.take(pending, 1)
    one.lose(pending, suspect=True)
    assert 0 == len(pending)
    assert [] == one.take(pending, 1)
    other.lose(pending)
    assert 1 == len(pending)
    assert ["t0"] == one.take(pending, 1)
    assert 2 == one.held["t0"].attempt


def test_what_has_ended_does_not_come_back() -> None:
    """A task that a worker loses after another has answered it is not queued."""
    pending, one, other = near_the_end(2)
    other.take(pending, 1)
    held = dict(one.held)
    assert other.answer(pending, "t0")
    pending.give_back(one, [held["t0"]], suspect=True)
    assert 0 == len(pending)
