"""The breaker: when faults stop a worker from claiming, and what lets it go on."""

from __future__ import annotations

import pytest

from spanserve.doors.redis.breaker import (
    ALLOWED_IN_PERIOD,
    ALLOWED_OF_TASKS,
    PAUSE_S,
    PERIOD_S,
    TASKS,
    Breaker,
)
from tests.kit.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


def opened(clock: Clock) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(clock)
    for _ in range(ALLOWED_OF_TASKS + 1):
        breaker.note(fault=True)
    assert not breaker.closed
    return breaker


def test_opens_by_share(clock: Clock) -> None:
    """More than one per cent of the last thousand tasks at fault open it, whatever time that took."""
    breaker = Breaker(clock)
    for _ in range(ALLOWED_OF_TASKS):
        clock.now += 2 * PERIOD_S
        breaker.note(fault=True)
        assert breaker.closed
    breaker.note(fault=True)
    assert not breaker.closed
    assert 0 == breaker.room(50, 0)


def test_opens_by_rate(clock: Clock) -> None:
    """More than twenty faults within a minute open it, however many tasks ended well between them."""
    breaker = Breaker(clock)
    for _ in range(ALLOWED_IN_PERIOD):
        breaker.note(fault=True)
        for _ in range(TASKS // ALLOWED_OF_TASKS):
            breaker.note(fault=False)
        assert breaker.closed
    breaker.note(fault=True)
    assert not breaker.closed


def test_old_faults_are_forgotten(clock: Clock) -> None:
    """The same faults spread over more than a minute and among enough tasks leave it closed."""
    breaker = Breaker(clock)
    for _ in range(3 * ALLOWED_IN_PERIOD):
        clock.now += PERIOD_S / ALLOWED_IN_PERIOD * 1.01
        breaker.note(fault=True)
        for _ in range(TASKS // ALLOWED_OF_TASKS):
            breaker.note(fault=False)
    assert breaker.closed
    assert 50 == breaker.room(50, 7)


def test_one_task_is_tried_after_a_pause(clock: Clock) -> None:
    """Open it claims nothing, then a single task while nothing else is held."""
    breaker = opened(clock)
    clock.now += PAUSE_S
    assert 0 == breaker.room(50, 1)
    assert 1 == breaker.room(50, 0)
    assert 0 == breaker.room(0, 0)


@pytest.mark.parametrize(("fault", "closes"), [(False, True), (True, False)], ids=["well", "fault"])
def test_the_trial_decides(clock: Clock, fault: bool, closes: bool) -> None:
    """A trial that ends well closes it for good; one that faults opens it for another pause."""
    breaker = opened(clock)
    clock.now += PAUSE_S
    breaker.note(fault=fault)
    assert closes is breaker.closed
    assert (50 if closes else 0) == breaker.room(50, 0)


def test_late_ends_are_no_trial(clock: Clock) -> None:
    """Tasks that were held when it opened and end well before the pause is over do not close it."""
    breaker = opened(clock)
    breaker.note(fault=False)
    assert not breaker.closed
