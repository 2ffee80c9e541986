"""An average that follows what is seen."""

from __future__ import annotations


class MovingAverage:
    """An exponentially weighted average.

    Args:
        first: its value before anything is seen.
        weight: of the newest value, 0 to 1.
    """

    def __init__(self, first: float, weight: float) -> None:
        self.value = first
        self._weight = weight

    def add(self, newest: float) -> float:
        """Take a value in; returns the average then."""
        self.value += self._weight * (newest - self.value)
        return self.value
