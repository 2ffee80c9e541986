"""A clock for tests: its time passes when a test says so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Clock:
    """Seconds, monotonic as long as the test lets them be; not 0 at first, as a real clock is not."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now
