"""What batches cost on this very device: the bundle's table, rescaled by what is measured."""

from __future__ import annotations

from spanserve.bundle import CostTable

#: Weight of the newest batch in the moving average of real over estimated cost.
WEIGHT = 0.1


class LearnedCost:
    """A cost table whose scale follows the batches that come back."""

    def __init__(self, prior: CostTable) -> None:
        self._prior = prior
        self._factor = 1.0
        self.table = prior

    def rescale(self, factor: float) -> CostTable:
        """Start from real over estimated seconds, as measured at the start."""
        self._factor = factor
        self.table = self._prior.scaled(factor)
        return self.table

    def observe(self, seconds: float, estimate: float) -> CostTable:
        """Learn from a batch that took `seconds` and was estimated by `table`."""
        real = seconds / estimate * self._factor
        return self.rescale(self._factor + WEIGHT * (real - self._factor))
