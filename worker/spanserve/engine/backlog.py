"""The backlog: windows waiting for a batch, ordered by length and by when they are due."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator

from spanserve.engine.request import Row


class Backlog:
    """Rows by padded length, first in first out within a length. All operations are O(log rows)."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[Row, None]] = {}  # dicts: ordered, and rows leave from anywhere
        self._due: list[tuple[float, int, Row]] = []
        self._sequence = itertools.count()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, row: Row) -> None:
        self._buckets.setdefault(row.length, {})[row] = None
        heapq.heappush(self._due, (row.due, next(self._sequence), row))
        self._size += 1

    def remove(self, row: Row) -> None:
        bucket = self._buckets[row.length]
        del bucket[row]
        if not bucket:
            del self._buckets[row.length]
        self._size -= 1

    def lengths(self) -> list[tuple[int, int]]:
        """(padded length, rows of it), longest first."""
        return [(length, len(self._buckets[length])) for length in sorted(self._buckets, reverse=True)]

    def rows(self, length: int) -> Iterator[Row]:
        """Rows of one padded length, the first to come first. Do not change the backlog meanwhile."""
        return iter(self._buckets.get(length, ()))

    def __iter__(self) -> Iterator[Row]:
        """All rows. Do not change the backlog meanwhile."""
        return (row for bucket in self._buckets.values() for row in bucket)

    def most_due(self) -> Row | None:
        """The row that is due first, or None."""
        while self._due:
            row = self._due[0][2]
            if row in self._buckets.get(row.length, ()):
                return row
            heapq.heappop(self._due)  # it has left in a batch
        return None
