"""Waits between tries: they double, they are random, and they end when something succeeds."""

from __future__ import annotations

import random

from spanserve.contract.backoff import FIRST_S, LONGEST_S, Backoff


class Highest(random.Random):
    """Chance that always gives the longest wait."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_doubles_up_to_a_limit() -> None:
    """The longest possible wait doubles from 50 ms and stays at 10 s."""
    backoff = Backoff(chance=Highest())
    # 0.05 * 2 ** 7 = 6.4, * 2 ** 8 = 12.8
    assert [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0] == [backoff.next_s() for _ in range(10)]


def test_reset() -> None:
    """After a success the next wait is a first one again."""
    backoff = Backoff(chance=Highest())
    for _ in range(5):
        backoff.next_s()
    backoff.reset()
    assert FIRST_S == backoff.next_s()


def test_never_overflows() -> None:
    """A worker that is gone for a day, 8,640 tries of 10 s, is still waited for."""
    backoff = Backoff(chance=Highest())
    assert LONGEST_S == [backoff.next_s() for _ in range(8_640)][-1]


def test_full_jitter() -> None:
    """Waits spread over everything from nothing to the longest, so that clients do not come back together."""
    waits = []
    for seed in range(2_000):
        backoff = Backoff(chance=random.Random(seed))
        waits.append([backoff.next_s() for _ in range(4)][-1])  # the fourth: 0 to 0.4 s
    assert 0 <= min(waits) < 0.01
    assert 0.39 < max(waits) <= 0.4
    assert 0.19 < sum(waits) / len(waits) < 0.21


def test_chance_of_its_own() -> None:
    """Two that are given no source of chance do not wait alike."""
    one, other = Backoff(), Backoff()
    assert [one.next_s() for _ in range(5)] != [other.next_s() for _ in range(5)]
