"""A member of a fleet: whatever happens to its worker, the device is not forgotten."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spanserve.fleet import member as module
from spanserve.fleet.child import Child
from spanserve.fleet.cores import Cores
from spanserve.fleet.member import GIVEN_UP, READY, SILENT, STARTING, STOPPED, WAITING, Launch, Member
from spanserve.fleet.pinned_bundle import PinnedBundle
from spanserve.fleet.placements import parse_placements
from spanserve.fleet.watch import attend
from tests.kit.processes import PATIENCE_S

PINNED = PinnedBundle(Path("/bundle"), "b", (), "manifest")
FULL = OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class FakeChild:
    """A worker that ends when it is closed, or told to."""

    heard = True
    metrics = ""
    pid = 1

    def __init__(self, on_state: Callable[[str], None]) -> None:
        self.say = on_state
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.ensure_future(self._end)
        self.closed = False
        self.silent_s = 0.0
        #: Exit status when it is told to stop.
        self.drained = 0

    def end(self, status: int) -> None:
        if not self._end.done():
            self._end.set_result(status)

    def signal(self, number: int) -> None:
        self.end(self.drained)

    async def look(self) -> None:
        pass

    async def close(self) -> None:
        self.closed = True
        self.end(-9)


class Ground:
    """One member, and the workers it starts.

    Attributes:
        failures: of the next starts.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        launch = Launch(arguments=(), folder=folder, watchdog_s=30.0, drain_s=5.0, deaths=3, period_s=600.0)
        (placement,) = parse_placements("cpu", "h:1")
        self.failures: list[Exception] = []
        self._started: asyncio.Queue[FakeChild] = asyncio.Queue()
        self.member = Member(placement, Cores(frozenset({0}), "all"), launch, self._note)
        self.states: asyncio.Queue[str] = asyncio.Queue()
        monkeypatch.setattr(Child, "start", self._start)
        monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)

    def _note(self) -> None:
        self.states.put_nowait(self.member.state)

    async def _start(
        self, arguments: object, *, on_state: Callable[[str], None], **options: Any
    ) -> FakeChild:
        if self.failures:
            raise self.failures.pop(0)
        child = FakeChild(on_state)
        self._started.put_nowait(child)
        return child

    async def worker(self) -> FakeChild:
        """The next worker that is started."""
        return await asyncio.wait_for(self._started.get(), PATIENCE_S)

    async def until(self, state: str) -> None:
        """Wait until it has been in this state, since the last call."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.states.get() != state:
                pass


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    return Ground(tmp_path, monkeypatch)


async def test_a_start_that_fails_is_tried_again(ground: Ground) -> None:
    """While the system has nothing to start a worker with, that counts as a death, and is tried again."""
    ground.failures = [FULL, BlockingIOError(errno.EAGAIN, "fork")]
    ground.member.start(PINNED)
    await ground.until(WAITING)
    await ground.until(STARTING)
    assert (3, 2) == (ground.member.starts, ground.member.deaths)
    await ground.member.stop()
    assert STOPPED == ground.member.state


async def test_starts_that_fail_for_ever(ground: Ground) -> None:
    """A device whose workers cannot be started is given up after as many tries as deaths, with the error."""
    ground.failures = [FULL] * 3
    ground.member.start(PINNED)
    await ground.until(GIVEN_UP)
    assert "Too many open files" in ground.member.reason
    assert "died 3 times within 600 s" in ground.member.reason


async def test_an_error_of_our_own(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in looking after a worker ends that worker, not the care for its device."""

    async def stumble(*arguments: object, **options: object) -> None:
        monkeypatch.setattr(module, "attend", attend)
        raise RuntimeError("stumbled")

    monkeypatch.setattr(module, "attend", stumble)
    ground.member.start(PINNED)
    await ground.until(WAITING)
    assert (await ground.worker()).closed
    assert "ended with RuntimeError: stumbled" == ground.member.reason
    await ground.worker()
    await ground.member.stop()
    assert STOPPED == ground.member.state


async def test_silent(ground: Ground) -> None:
    """A worker that misses signs of life does not count as serving, until it gives one again."""
    ground.member.start(PINNED)
    child = await ground.worker()
    child.say(READY)
    child.silent_s = 3.5
    await ground.until(SILENT)
    serving = [ground.member.serving]
    child.say(READY)
    assert [False, True] == [*serving, ground.member.serving]
    await ground.member.stop()


async def test_last_words(ground: Ground) -> None:
    """Why a worker gave its device up is told with its end, and with no later one."""
    ground.member.start(PINNED)
    child = await ground.worker()
    child.say("failed: wrong answers: 3 of 8")
    child.end(70)
    await ground.until(WAITING)
    assert "ended with exit status 70: wrong answers: 3 of 8" == ground.member.reason
    (await ground.worker()).end(70)
    await ground.until(WAITING)
    assert "ended with exit status 70" == ground.member.reason
    await ground.member.stop()


async def test_a_drain_cut_short_is_of_one_worker(ground: Ground) -> None:
    """What one worker left undone is forgotten when the next one is started in its place."""
    ground.member.start(PINNED)
    (await ground.worker()).drained = 1
    await ground.until(STARTING)
    await ground.member.stop()
    found = [ground.member.cut_short]
    ground.member.start(PINNED)
    await ground.worker()
    assert [True, False] == [*found, ground.member.cut_short]
    await ground.member.stop()
