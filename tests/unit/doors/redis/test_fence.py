"""The fence: what stops a worker from starting tasks on leases that may have run out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from spanserve.contract import Question, Task
from spanserve.doors.redis.fence import FENCE, Fence
from spanserve.doors.redis.leased import LeasedTask, LeasedTasks
from spanserve.engine.request import Request
from spanserve.queue import JobId, Lease
from tests.kit.clock import Clock

LEASE_S = 10.0
TASK = Task(id="t", context="Anna said.", questions=(Question("q", "Who?"),))


class RecordingEngine:
    """What was asked of an engine."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def pause(self, requests: Iterable[Request[Any]]) -> None:
        self.asked.append(("pause", len(list(requests))))

    def resume(self, requests: Iterable[Request[Any]]) -> None:
        self.asked.append(("resume", len(list(requests))))


@pytest.fixture
def engine() -> RecordingEngine:
    return RecordingEngine()


def one_held() -> LeasedTasks:
    held = LeasedTasks()
    any_part: Any = None
    request = Request(TASK, 1, lambda request: None, 0.0, None, None, 1)
    held.add(LeasedTask(Lease(2, "1-0", JobId.of(TASK)), 1, False, any_part, request=request))
    return held


def fence_at(clock: Clock, held: LeasedTasks, engine: Any) -> Fence:
    return Fence(held, engine, clock)


def test_stale(engine: RecordingEngine) -> None:
    """At 0.8 of a lease without renewal what is held is paused, once; when that is verified it goes on, once."""
    clock = Clock(0.0)
    fence = fence_at(clock, one_held(), engine)
    clock.now = FENCE * LEASE_S
    fence.look(LEASE_S)
    assert (False, []) == (fence.up, engine.asked)
    clock.now += 0.1
    fence.look(LEASE_S)
    fence.look(LEASE_S)
    assert (True, [("pause", 1)]) == (fence.up, engine.asked)
    fence.verified(clock.now)
    fence.take_down()
    fence.take_down()
    fence.look(LEASE_S)
    assert (False, [("pause", 1), ("resume", 1)]) == (fence.up, engine.asked)


def test_an_old_reply(engine: RecordingEngine) -> None:
    """A renewal counts from when it was sent, and one that was overtaken takes nothing back."""
    clock = Clock(9.0)
    fence = fence_at(clock, one_held(), engine)
    fence.verified(3.0)
    clock.now = 9.0 + FENCE * LEASE_S
    fence.look(LEASE_S)
    assert not fence.up


def test_nothing_held(engine: RecordingEngine) -> None:
    """Without leases there is nothing to be in doubt."""
    clock = Clock(0.0)
    fence = fence_at(clock, LeasedTasks(), engine)
    clock.now = 10 * LEASE_S
    fence.look(LEASE_S)
    assert (False, []) == (fence.up, engine.asked)
