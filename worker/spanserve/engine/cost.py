"""What batches cost, learned from those that come back."""

from __future__ import annotations

from spanserve.bundle import CostTable
from spanserve.engine.average import MovingAverage

#: Weight of the newest batch in the moving average of real over estimated cost.
WEIGHT = 0.1


class LearnedCost:
    """A cost table whose scale follows the batches that come back."""

    def __init__(self, table: CostTable) -> None:
        self._first = table
        self._factor = MovingAverage(1.0, WEIGHT)
        self.table = table

    def observe(self, seconds: float, estimate: float) -> CostTable:
        """Learn from a batch that took `seconds` and was estimated by `table`."""
        factor = self._factor.add(seconds / estimate * self._factor.value)
        self.table = self._first.scaled(factor)
        return self.table
