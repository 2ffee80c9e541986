"""The deque of tasks that have no result: who takes how much, where lost tasks go, what is taken twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.client.pending import LATE_FACTOR, LATE_S, LEAST_SHARE, VERY_LATE_S, Pending
from spanserve.contract import Question, Task
from spanserve.contract.limits import MAX_ATTEMPTS, MAX_FRAME_BYTES, MAX_TASKS_PER_FRAME
from spanserve.worker.engine import BATCH_TIMEOUT_S


@dataclass(slots=True)
class Clock:
    """Seconds, as the test says."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True, eq=False)
class Worker:
    """A taker that keeps what it has taken, as a connection does."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    held: dict[str, Task] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)

    @property
    def load(self) -> int:
        return len(self.held)

    def withdraw(self, task_id: str) -> None:
        del self.held[task_id]
        self.withdrawn.append(task_id)

    def take(self, pending: Pending, credit: int) -> list[str]:
        """Take tasks; their ids."""
        found = [task for task, _ in pending.take(self, credit)]
        self.held.update((task.id, task) for task in found)
        return [task.id for task in found]

    def answer(self, pending: Pending, task_id: str) -> bool:
        """Bring a result; whether it was the first."""
        self.held.pop(task_id, None)
        return pending.end(self, task_id)

    def lose(self, pending: Pending, *names: str, suspect: bool = False) -> None:
        """Give tasks back, all if none is named."""
        lost = [self.held.pop(name) for name in names or tuple(self.held)]
        pending.give_back(self, lost, suspect=suspect)


def task(name: str, questions: int = 1, *, size: int = 1, attempt: int = 1) -> Task:
    asked = tuple(Question(f"q{number}", "who") for number in range(questions))
    return Task(id=name, context="c" * size, questions=asked, attempt=attempt)


def pending_of(*tasks: Task, clock: Clock | None = None) -> Pending:
    pending = Pending(clock or Clock())
    pending.add(tasks)
    return pending


def taken(pending: Pending, credit: int) -> list[str]:
    return Worker().take(pending, credit)


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


def near_the_end(count: int) -> tuple[Pending, Worker, Worker]:
    """Tasks t0, t1, ..., all late with the first worker; the second has nothing."""
    clock = Clock()
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
    clock = Clock()
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
    clock = Clock()
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
    clock = Clock()
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
    clock = Clock()
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
    clock = Clock()
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


@given(st.data())
def test_every_task_ends_once(data: st.DataObject) -> None:
    """Whatever workers take, lose and answer: each task has one first result, and nothing is left over."""
    clock = Clock()
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
