"""The cost table: seconds a device takes for a batch of B windows padded to S tokens."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from spanserve.bundle.json_file import read_json


@dataclass(frozen=True, slots=True)
class CostTable:
    """Measured seconds on a grid, read between its points by bilinear interpolation.

    Outside the grid the nearest cell is continued in a straight line, never below zero.

    Raises:
        ValueError: an axis does not ascend, or a crossing has no positive time.
    """

    #: Ascending batch sizes, the rows of the grid.
    batches: tuple[int, ...]
    #: Ascending lengths in tokens, the columns.
    lengths: tuple[int, ...]
    #: seconds[i][j] is the cost of batches[i] windows of lengths[j] tokens.
    seconds: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        shape_fits = len(self.seconds) == len(self.batches) and all(
            len(row) == len(self.lengths) for row in self.seconds
        )
        ascending = all(a < b for axis in (self.batches, self.lengths) for a, b in pairwise(axis))
        positive = all(0 < value < math.inf for row in self.seconds for value in row)
        if not (self.batches and self.lengths and shape_fits and ascending and positive):
            raise ValueError(
                "a cost table needs ascending axes and one positive time for each of their crossings"
            )

    @classmethod
    def of(
        cls, batches: tuple[int, ...], lengths: tuple[int, ...], seconds: Callable[[int, int], float]
    ) -> CostTable:
        """The table whose points are `seconds(batch, length)`."""
        rows = tuple(tuple(seconds(batch, length) for length in lengths) for batch in batches)
        return cls(batches, lengths, rows)

    def estimate(self, batch: int, length: int) -> float:
        """Seconds for `batch` windows padded to `length` tokens."""
        i, u = _cell(self.batches, batch)
        j, v = _cell(self.lengths, length)
        low, high = self.seconds[i], self.seconds[min(i + 1, len(self.batches) - 1)]
        k = min(j + 1, len(self.lengths) - 1)
        near = low[j] + (low[k] - low[j]) * v
        far = high[j] + (high[k] - high[j]) * v
        return max(near + (far - near) * u, 1e-9)

    def scaled(self, factor: float) -> CostTable:
        """The same shape on a device that takes `factor` times as long."""
        rows = tuple(tuple(value * factor for value in row) for row in self.seconds)
        return CostTable(self.batches, self.lengths, rows)

    def to_json(self) -> str:
        return json.dumps(
            {"batches": self.batches, "lengths": self.lengths, "seconds": self.seconds}, indent=1
        )

    @classmethod
    def read(cls, path: Path) -> CostTable:
        """Read a table.

        Raises:
            ValueError: the file is not a cost table.
        """
        try:
            content = read_json(path)
            rows = tuple(tuple(float(value) for value in row) for row in content["seconds"])
            return cls(tuple(map(int, content["batches"])), tuple(map(int, content["lengths"])), rows)
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"{path.name} is not a cost table: {error!r}") from None


def _cell(axis: tuple[int, ...], value: int) -> tuple[int, float]:
    """Index of the cell that `value` is in (or nearest to), and its place there; 0 to 1 inside."""
    if len(axis) == 1:
        return 0, 0.0
    i = min(max(bisect_left(axis, value) - 1, 0), len(axis) - 2)
    return i, (value - axis[i]) / (axis[i + 1] - axis[i])
