"""A member of a fleet: whatever happens to its worker, the device is not forgotten."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spanserve.worker.up import member as module
from spanserve.worker.up.child import Child
from spanserve.worker.up.cores import Cores
from spanserve.worker.up.member import GIVEN_UP, STARTING, STOPPED, WAITING, Launch, Member
from spanserve.worker.up.places import parse_places
from spanserve.worker.up.release import Release
from spanserve.worker.up.watch import attend
from tests.processes import PATIENCE_S

RELEASE = Release(Path("/bundle"), "b", "digest", "manifest")
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
        self.silent_for = 0

    def end(self, status: int) -> None:
        if not self._end.done():
            self._end.set_result(status)

    def signal(self, number: int) -> None:
        self.end(0)

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
        (place,) = parse_places("cpu", "h:1")
        self.failures: list[Exception] = []
        self.children: list[FakeChild] = []
        self.member = Member(place, Cores(frozenset({0}), "all"), launch, self._note)
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
        self.children.append(FakeChild(on_state))
        return self.children[-1]

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
    ground.member.start(RELEASE)
    await ground.until(WAITING)
    await ground.until(STARTING)
    assert (3, 2) == (ground.member.starts, ground.member.deaths)
    await ground.member.stop()
    assert STOPPED == ground.member.state


async def test_starts_that_fail_for_ever(ground: Ground) -> None:
    """A device whose workers cannot be started is given up after as many tries as deaths, with the error."""
    ground.failures = [FULL] * 3
    ground.member.start(RELEASE)
    await ground.until(GIVEN_UP)
    assert "Too many open files" in ground.member.reason
    assert "died 3 times within 600 s" in ground.member.reason


async def test_an_error_of_our_own(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in looking after a worker ends that worker, not the care for its device."""

    async def stumble(*arguments: object, **options: object) -> None:
        monkeypatch.setattr(module, "attend", attend)
        raise RuntimeError("stumbled")

    monkeypatch.setattr(module, "attend", stumble)
    ground.member.start(RELEASE)
    await ground.until(WAITING)
    assert ground.children[0].closed
    assert "ended with RuntimeError: stumbled" == ground.member.reason
    await ground.until(STARTING)
    await ground.member.stop()
    assert STOPPED == ground.member.state
