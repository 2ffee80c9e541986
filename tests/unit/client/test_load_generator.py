"""Closed and open loops in virtual time: who is asked when, and from when a question is late."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable

import pytest

from spanserve.client.errors import AccessDenied, ClientError, NoWorker
from spanserve.client.load import generator as load
from spanserve.client.load.generator import Generator
from spanserve.client.load.level import Level
from spanserve.client.load.sweep import AT_LEAST, PARTS, knee, sweep
from spanserve.contract import ErrorCode, Question, Refusal, Task, TaskResult
from tests.kit.virtual_loop import run_virtually

TASK = Task(id="bench", context="c", questions=(Question("q", "who"),))


def generator_of(answer: Callable[[Task], Awaitable[object]], warmup_s: float = 1.0) -> Generator:
    async def answered(task: Task) -> TaskResult:
        await answer(task)
        return TaskResult(id=task.id, questions=())

    return Generator(
        answered,
        itertools.repeat(TASK),
        warmup_s=warmup_s,
        measured_s=10.0,
        chance=random.Random(3),
        processor_s=lambda: 0.0,
    )


class Device:
    """Answers one question after the other, each in a quarter of a second; stands still for some seconds once.

    Args:
        stands_still: from when to when.
    """

    def __init__(self, stands_still: tuple[float, float] = (0.0, 0.0)) -> None:
        self.under_way = self.most = self.asked = 0
        self._stands_still = stands_still
        self._free = asyncio.Lock()

    async def answer(self, task: Task) -> None:
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        async with self._free:
            await asyncio.sleep(0.25)
            begin, end = self._stands_still
            now = asyncio.get_running_loop().time()
            if begin <= now < end:
                await asyncio.sleep(end - now)
        self.under_way -= 1


def test_closed() -> None:
    """So many questions are in flight all the time; of 4 a second with 3 in flight each takes 0.75 s."""
    device = Device()
    level = run_virtually(generator_of(device.answer).closed(3))
    assert 3 == device.most
    assert ("closed", 3, 10.0, 4.0, 40) == (level.kind, level.load, level.seconds, level.rate, level.answered)
    assert {0.75} == {round(seconds, 6) for seconds in level.latencies}
    assert level.keeps_up
    assert not level.errors


def test_open() -> None:
    """Questions come at random, however many wait, and all that were due are waited for."""
    level = run_virtually(generator_of(Device().answer).open(2.0))
    assert ("open", 2.0, 10.0) == (level.kind, level.load, level.seconds)
    assert level.answered == level.asked
    assert 10 < level.asked < 32
    assert level.percentile_s(0.0) == pytest.approx(0.25)
    assert level.percentile_s(0.99) > 0.25
    assert level.keeps_up


def test_no_coordinated_omission() -> None:
    """A worker that stands still for 4 s is late for all that were due meanwhile, not for one."""
    rate = 2.0
    steady = run_virtually(generator_of(Device().answer).open(rate))
    stuck = run_virtually(generator_of(Device((3.0, 7.0)).answer).open(rate))
    assert steady.asked == stuck.asked
    assert steady.percentile_s(1.0) < 2.0
    assert stuck.percentile_s(1.0) > 3.5
    late = sum(seconds > 1.0 for seconds in stuck.latencies)
    assert late >= 5


def test_what_is_due_while_the_loop_stands_still() -> None:
    """A question that could not go out in time, for this process was busy, is late by that."""

    async def busy() -> Level:
        loop = asyncio.get_running_loop()
        generator = generator_of(lambda task: asyncio.sleep(0.0), warmup_s=0.0)
        measuring = asyncio.create_task(generator.open(4.0))
        await asyncio.sleep(2.0)
        loop._virtual += 3.0  # type: ignore[attr-defined]
        return await measuring

    level = run_virtually(busy())
    assert level.percentile_s(1.0) > 2.0
    assert sum(seconds > 0.1 for seconds in level.latencies) >= 5


def test_fell_behind() -> None:
    """Where twice as many come as are answered, the level says so."""
    level = run_virtually(generator_of(Device().answer).open(8.0))
    assert not level.keeps_up
    assert level.rate <= 4.0
    assert level.answered == level.asked


def test_errors_are_counted() -> None:
    """What is refused, or finds no worker, counts by its kind and has no time."""
    faults = itertools.cycle([None, Refusal(ErrorCode.DEADLINE_EXCEEDED, "late"), None, NoWorker("none")])

    async def answer(task: Task) -> None:
        await asyncio.sleep(0.5)
        fault = next(faults)
        if fault is not None:
            raise fault

    level = run_virtually(generator_of(answer).closed(1))
    assert (20, 10, 1.0) == (level.asked, level.answered, level.rate)
    assert {"deadline_exceeded": 5, "NoWorker": 5} == level.errors


def test_nobody_lets_us_in() -> None:
    """Without access there is nothing to measure: the first word of it ends all."""

    async def answer(task: Task) -> None:
        raise AccessDenied("no token")

    with pytest.raises(AccessDenied, match="no token"):
        run_virtually(generator_of(answer).closed(4))


def test_too_many_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open loop that no worker can bear ends before it eats all memory."""
    monkeypatch.setattr(load, "MAX_UNDER_WAY", 50)
    with pytest.raises(ClientError, match="50 questions are under way"):
        run_virtually(generator_of(Device().answer).open(100.0))


def test_nothing_was_due() -> None:
    """A level in which no question was due is no measurement."""
    with pytest.raises(ClientError, match="no question was due"):
        run_virtually(generator_of(Device().answer).open(1e-6))


def test_broken_off() -> None:
    """What was measured of a level that is broken off stands; what had no end then counts as unfinished."""

    async def broken_off() -> Level | None:
        generator = generator_of(Device().answer)
        measuring = asyncio.create_task(generator.closed(2))
        await asyncio.sleep(3.1)
        measuring.cancel()
        await asyncio.wait([measuring])
        return generator.so_far()

    level = run_virtually(broken_off())
    assert level is not None
    assert 2.1 == pytest.approx(level.seconds)
    assert {"unfinished": 2} == level.errors
    assert 4.0 == pytest.approx(level.rate, rel=0.1)


def test_sweep() -> None:
    """Levels double until that brings no more; then questions come at parts of the highest rate; the knee is told."""

    async def swept() -> list[Level]:
        lanes = asyncio.Semaphore(4)

        async def answer(task: Task) -> None:
            async with lanes:
                await asyncio.sleep(0.25)

        return [level async for level in sweep(generator_of(answer))]

    levels = run_virtually(swept())
    closed = [level.load for level in levels if level.kind == "closed"]
    assert [1, 2, 4, 8, 16, 32] == closed
    assert AT_LEAST == closed[-1]
    assert [pytest.approx(16.0 * part) for part in PARTS] == [
        level.load for level in levels if level.kind == "open"
    ]
    bend = knee(levels)
    assert bend is not None
    assert (16.0, 4) == (bend.most, bend.level.load)


def test_no_knee() -> None:
    """Where nothing was measured in a closed loop, or answered, there is no knee."""
    assert knee([]) is None
    assert knee([run_virtually(generator_of(Device().answer).open(2.0))]) is None
