"""Figures of the last seconds, by a clock that is turned by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from spanserve.doors.http.figures import MAX_KEPT, WINDOW_S, Figures
from tests.kit.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def figures(clock: Clock) -> Figures:
    return Figures(clock)


def ended(figures: Figures, questions: int, seconds: float, *, cancelled: bool = False) -> None:
    request = SimpleNamespace(cancelled=cancelled, total_s=seconds, questions=[None] * questions)
    figures.request_ended(cast(Any, request), None)


def sent(figures: Figures, tokens: list[int], length: int, max_batch: int) -> None:
    rows = [SimpleNamespace(window=SimpleNamespace(tokens=count)) for count in tokens]
    figures.batch_formed(cast(Any, SimpleNamespace(rows=rows, length=length)), max_batch)


def test_nothing_yet(figures: Figures) -> None:
    """Where there was nothing to count there is no figure, and a rate of 0."""
    found = figures.lately()
    assert (0, None, None, None) == (found.questions_per_s, found.batch_fill, found.padding, found.latency_ms)


def test_lately(figures: Figures, clock: Clock) -> None:
    """Rates, fill and padding are those of the window, and nothing before."""
    ended(figures, 50, 9.0)
    sent(figures, [1], 64, 4)
    clock.now += WINDOW_S + 1
    for milliseconds in range(1, 101):
        ended(figures, 2, milliseconds / 1000)
    ended(figures, 1, 5.0, cancelled=True)
    sent(figures, [32, 64], 64, 4)  # half full, a quarter padding
    found = figures.lately()
    assert (20.0, 10.0, 0.1) == (found.questions_per_s, found.tasks_per_s, found.batches_per_s)
    assert (0.5, 0.25) == (found.batch_fill, found.padding)
    assert {"p50": 51.0, "p90": 90.0, "p99": 99.0} == found.latency_ms
    assert WINDOW_S + 1 == figures.up_s


def test_young(figures: Figures, clock: Clock) -> None:
    """A worker that is younger than the window counts from its start."""
    clock.now += 2
    ended(figures, 10, 1.0)
    assert 5.0 == figures.lately().questions_per_s


def test_busy(figures: Figures, clock: Clock) -> None:
    """Where more ends than is kept, the rate is that of what is kept."""
    clock.now += WINDOW_S
    for _ in range(2 * MAX_KEPT):
        clock.now += 0.001
        ended(figures, 1, 1.0)
    assert 1000 == pytest.approx(figures.lately().questions_per_s, rel=0.01)
