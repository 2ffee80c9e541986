"""Which rows go to the device next.

Work-conserving: a free slot is filled at once from what is there. Among all batches that could be formed,
the one with the most useful tokens per second by the cost table is taken: rows of one padded length, filled
up with shorter ones as long as that pays. A row that is due is served first, whatever it costs.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

from spanserve.bundle import CostTable
from spanserve.worker.backlog import Backlog
from spanserve.worker.job import Row

#: A waiting row is due after this many times the cost of the largest batch.
PATIENCE_BATCHES = 16


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to run together, padded to `length`; an exclusive one is alone on the device."""

    rows: tuple[Row, ...]
    length: int
    exclusive: bool = False


class Batcher:
    """Forms batches of at most `max_batch` rows.

    Rows that were in a batch that died are suspects. They run first, apart from the innocent, in ever
    smaller company, so that the one that kills the device is found without condemning its neighbours:

        attempt 2         at most max_batch / 8 suspects
        attempt 3         the windows of one task, alone on the device
        attempt 4 and on  the windows of one question, alone on the device
    """

    def __init__(self, cost: CostTable, max_batch: int, max_length: int) -> None:
        self.cost = cost
        self.max_batch = max_batch
        self._largest = (max_batch, max_length)
        self.backlog = Backlog()
        self._suspects: deque[Row] = deque()

    def __len__(self) -> int:
        return len(self.backlog) + len(self._suspects)

    @property
    def patience_s(self) -> float:
        """Seconds a row may be passed over for better batches."""
        return PATIENCE_BATCHES * self.cost.estimate(*self._largest)

    def reserve_s(self, in_flight: int) -> float:
        """Seconds before its deadline at which a row must enter a batch."""
        return (in_flight + 1) * self.cost.estimate(*self._largest)

    def add(self, row: Row) -> None:
        if row.ask.attempt > 1:
            self._suspects.append(row)
        else:
            self.backlog.add(row)

    def form(self, now: float, in_flight: int) -> Batch | None:
        """Take the next batch out of the backlog.

        Args:
            in_flight: batches on the device.

        Returns:
            None if nothing waits, or if a suspect needs the device for itself and it is busy.
        """
        if self._suspects:
            return self._form_suspects(in_flight)
        due = self.backlog.most_due()
        if due is None:
            return None
        if due.due <= now:
            return self._take(due.length, self._counts(due.length), first=due)
        length, counts = self._best()
        return self._take(length, counts)

    def _best(self) -> tuple[int, list[tuple[int, int]]]:
        """The padded length, and how many rows of which lengths, of the batch with the best rate.

        Rate is useful tokens (each row at its own padded length) over the seconds the batch costs.
        """
        lengths = self.backlog.lengths()
        best_rate, best = 0.0, (0, [(0, 0)])
        for first, (longest, _) in enumerate(lengths):
            rows = useful = 0
            counts = []
            for length, waiting in lengths[first:]:
                taken = min(waiting, self.max_batch - rows)
                rows += taken
                useful += taken * length
                counts.append((length, taken))
                rate = useful / self.cost.estimate(rows, longest)
                if rate > best_rate:
                    best_rate, best = rate, (longest, counts.copy())
                if rows == self.max_batch:
                    break
        return best

    def _counts(self, longest: int) -> list[tuple[int, int]]:
        """Rows of `longest` and shorter, as many as fit."""
        counts, room = [], self.max_batch
        for length, waiting in self.backlog.lengths():
            if length <= longest and room:
                counts.append((length, min(waiting, room)))
                room -= counts[-1][1]
        return counts

    def _take(self, length: int, counts: list[tuple[int, int]], first: Row | None = None) -> Batch:
        rows = [] if first is None else [first]
        for own, count in counts:
            others = (row for row in self.backlog.rows(own) if row is not first)
            rows.extend(islice(others, count - (first is not None and own == first.length)))
        for row in rows:
            self.backlog.remove(row)
        return Batch(tuple(rows), length)

    def _form_suspects(self, in_flight: int) -> Batch | None:
        head = self._suspects[0].ask
        exclusive = head.attempt > 2
        if exclusive and in_flight:
            return None
        if head.attempt == 2:
            room = max(1, self.max_batch // 8)
            company = [row for row in self._suspects if row.ask.attempt == 2]
        elif head.attempt == 3:
            room = self.max_batch
            company = [row for row in self._suspects if row.ask.job is head.job and row.ask.attempt == 3]
        else:
            room = self.max_batch
            company = [row for row in self._suspects if row.ask is head]
        rows = tuple(company[:room])
        taken = set(rows)
        self._suspects = deque(row for row in self._suspects if row not in taken)
        return Batch(rows, max(row.length for row in rows), exclusive)
