"""Spot checks: how much of a device's time they take, in which order they come, and what becomes of a wrong device."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from spanserve.bundle import CostTable
from spanserve.engine.observer import Observer
from spanserve.engine.pipeline import Inputs, Outputs
from spanserve.engine.spot_checks import PATIENCE, SHARE, SpotCheck
from spanserve.engine.state import State
from tests.kit.sum_engine import BAD, Rig, all_added, rig, task, tasks
from tests.kit.sums import Sums
from tests.kit.virtual_loop import run_virtually

#: Seconds of a check on the device, and of another batch.
SECONDS = 0.002
LONG = 0.1
PAUSE = SECONDS / SHARE
COST = CostTable((16,), (64,), ((SECONDS,),))
SHAPES = [(batch, length) for batch in (1, 2, 16) for length in (16, 32)]
LANES = 2
#: Checks until each shape was checked in each lane.
ROUND = len(SHAPES) * LANES


class Ones:
    """Knows that so many ones add up to so much."""

    def fill(self, inputs: Inputs) -> int:
        inputs["numbers"].fill(1)
        return int(inputs["numbers"].shape[1])

    def fault(self, filled: int, outputs: Outputs) -> str:
        wrong = outputs["sums"][:, 0] != filled
        return f"row {int(wrong.argmax())}" if wrong.any() else ""


@dataclass(slots=True)
class Watched(Observer):
    """Every check, and when it was sent."""

    clock: Callable[[], float]
    sent: list[tuple[float, SpotCheck]] = field(default_factory=list)
    seconds: float = 0.0
    reasons: list[str] = field(default_factory=list)

    def spot_check_sent(self, check: SpotCheck) -> None:
        self.sent.append((self.clock(), check))

    def spot_check_passed(self, check: SpotCheck, seconds: float) -> None:
        self.seconds += seconds

    def spot_check_wrong(self, check: SpotCheck, reason: str) -> None:
        self.reasons.append(reason)


def seconds(numbers: Any) -> float:
    """A check takes little; other batches take long, so that a test needs few of them."""
    return SECONDS if (numbers == 1).all() else LONG


@asynccontextmanager
async def checked(**arguments: Any) -> AsyncIterator[tuple[Rig, Watched]]:
    """An engine in virtual time, whose device is checked."""
    clock = asyncio.get_running_loop().time
    watched = Watched(clock)
    async with rig(clock=clock, seconds=seconds, observers=(watched,), **arguments) as made:
        made.engine.spot_checks.begin(Ones(), SHAPES, COST)
        yield made, watched


async def saturate(made: Rig, until: Callable[[], bool]) -> int:
    """Keep more than all slots can take waiting until then; returns how many tasks were added right."""
    waiting: set[asyncio.Future[Sums]] = set()
    number = right = 0
    while not until():
        while len(waiting) < 96:
            number += 1
            waiting |= set(made.submit(task(f"t{number}", tuple(range(number % 16 + 2))))[1])
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        right += sum(all_added([future.result()]) for future in done)
    return right


def virtually(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        run_virtually(test())  # type: ignore[arg-type]

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@virtually
async def test_a_device_that_is_free() -> None:
    """In a round every shape is checked in every lane, and the device has a thousandth less time for others."""
    async with checked() as (made, watched):
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(made.engine.spot_checks.round_s * 1.01)
        assert {SpotCheck(*shape, lane) for shape in SHAPES for lane in range(LANES)} == {
            check for _, check in watched.sent
        }
        assert ROUND == len(watched.sent)
        await asyncio.sleep(10 * made.engine.spot_checks.round_s)
        assert 0.9 * SHARE < watched.seconds / (asyncio.get_running_loop().time() - began) <= SHARE


@virtually
async def test_lanes_and_lengths_in_turn() -> None:
    """Lanes come in turn, then lengths, then sizes: what is wrong with a whole lane is met within a few checks."""
    async with checked() as (made, watched):
        await asyncio.sleep(made.engine.spot_checks.round_s * 1.01)
        expected = [SpotCheck(*shape, lane) for shape in SHAPES for lane in range(LANES)]
        assert expected == [check for _, check in watched.sent]


@virtually
async def test_a_device_without_free_time() -> None:
    """Under permanent load a check waits twice as long as on a free device, and no longer; all tasks are answered."""
    async with checked() as (made, watched):
        clock = asyncio.get_running_loop().time
        right = await saturate(made, lambda: clock() > 10 * PAUSE)
        times = [when for when, _ in watched.sent]
        gaps = [later - earlier for earlier, later in zip([0.0, *times], times, strict=False)]
        assert len(gaps) >= 4
        assert all(PATIENCE * PAUSE <= gap <= PATIENCE * PAUSE + 2 * LONG for gap in gaps)
        assert right > 1000
        assert [] == watched.reasons


@virtually
async def test_shapes_that_are_used_come_first() -> None:
    """What batches were in since its last check is checked before the rest, in every lane."""
    async with checked() as (made, watched):
        await asyncio.sleep(3.5 * PAUSE)
        watched.sent.clear()
        assert all_added(await made.run(*tasks(2, "a"), task("long", tuple(range(16)), tuple(range(16)))))
        used = {(len(batch.rows), batch.length) for batch in made.seen.batches}
        assert used
        await asyncio.sleep(1.01 * PAUSE * LANES * len(used))
        holds = {min(s for s in SHAPES if s[0] >= batch and s[1] >= length) for batch, length in used}
        first = [(check.batch, check.length) for _, check in watched.sent[: LANES * len(holds)]]
        assert holds == set(first)


WRONG: dict[str, Callable[[int, int, int], bool]] = {
    "lane": lambda lane, batch, length: lane == 1,
    "length": lambda lane, batch, length: length == 16,
    "shape-of-lane": lambda lane, batch, length: (lane, batch, length) == (1, 16, 16),
}


@pytest.mark.parametrize("loaded", [False, True], ids=["free", "loaded"])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_device_that_begins_to_be_wrong(wrong: Callable[[int, int, int], bool], loaded: bool) -> None:
    """It is given up within a round, or two without free time, in whichever shape of what it is used for."""

    async def run() -> None:
        async with checked() as (made, watched):
            clock = asyncio.get_running_loop().time
            limit = made.engine.spot_checks.round_s * (PATIENCE if loaded else 1) * 1.05
            assert all_added(await made.run(*tasks(8)))
            made.device.wrong = wrong
            began = clock()
            if loaded:
                await saturate(made, lambda: bool(watched.reasons) or clock() > began + limit)
            else:
                await asyncio.sleep(limit)
            assert 1 == len(watched.reasons)
            assert "in lane" in watched.reasons[0]
            assert State.FAILED is made.seen.states[-1]
            assert watched.reasons[0] == made.seen.reason
            assert made.engine.idle.is_set()

    run_virtually(run())


@virtually
async def test_a_check_that_the_device_refuses() -> None:
    """A device that refuses what it could compute is restarted and proven, and is asked the same again."""
    async with checked(unwanted=1) as (made, watched):
        await asyncio.sleep(2.5 * PAUSE)
        assert 2 == made.seen.restarts
        assert [(1, 16, 0)] * 2 == [(c.batch, c.length, c.lane) for _, c in watched.sent]
        assert State.READY is made.engine.lifecycle.state


@virtually
async def test_a_device_that_dies_during_a_check() -> None:
    """A check that is lost with its device is no verdict: the device is restarted, and is asked the same again."""
    async with checked() as (made, watched):
        await asyncio.sleep(PAUSE + SECONDS / 2)
        made.device.die()
        await asyncio.sleep(3.1 * PAUSE)
        assert 1 == made.seen.restarts
        checks = [check for _, check in watched.sent]
        assert len(checks) >= 3
        assert checks[0] == checks[1] != checks[2]
        assert State.READY is made.engine.lifecycle.state


@virtually
async def test_no_check_beside_a_suspect() -> None:
    """What has the device for itself has it for itself, however long a check is overdue."""
    async with checked(fatal=BAD) as (made, watched):
        for number in range(3):
            await asyncio.sleep(2.1 * PAUSE)
            await made.run(task(f"t{number}", (1,), (2,), attempt=3))
            alone = made.seen.batches[-1]
            assert alone.exclusive
        assert all_added(await made.run(*tasks(4)))
        assert [] == watched.reasons
