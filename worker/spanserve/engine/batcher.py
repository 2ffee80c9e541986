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
from spanserve.engine.backlog import Backlog
from spanserve.engine.request import Row

#: A waiting row is due after this many times the cost of the largest batch.
PATIENCE_BATCHES = 16
#: A fuller batch is taken if its rate comes this close to the best: what a batch costs beside the table, its
#: way to the device and back and the preparing of a new shape, is paid less often.
GOOD_ENOUGH = 0.93


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
        if row.question.attempt == 1:
            self.backlog.add(row)
            return
        self._suspects.append(row)
        for sibling in self.backlog.of(row.question):  # they came as innocents, and may be what kills
            self.backlog.remove(sibling)
            self._suspects.append(sibling)

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
        lengths = self.backlog.lengths()
        if due.due > now:
            return self._take(*self._best(lengths, range(len(lengths))))
        place = [length for length, _ in lengths].index(due.length)
        return self._take(*self._best(lengths, range(place, place + 1)), first=due)

    def _best(self, lengths: list[tuple[int, int]], firsts: range) -> tuple[int, int]:
        """Longest and shortest padded length of the batch to run.

        Rate is useful tokens (each row at its own padded length) over the seconds the batch costs. Of all
        batches whose rate is nearly the best, the one with the most rows.

        Args:
            lengths: (padded length, rows of it) of what waits, longest first.
            firsts: places in `lengths` that the longest rows may come from.
        """
        found: list[tuple[float, int, int, int]] = []  # rate, rows, longest, shortest
        for first in firsts:
            rows = useful = 0
            longest = lengths[first][0]
            for length, waiting in lengths[first:]:
                taken = min(waiting, self.max_batch - rows)
                rows += taken
                useful += taken * length
                found.append((useful / self.cost.estimate(rows, longest), rows, longest, length))
                if rows == self.max_batch:
                    break
        enough = GOOD_ENOUGH * max(rate for rate, *_ in found)
        good = (entry for entry in found if entry[0] >= enough)
        _, _, longest, shortest = max(good, key=lambda entry: (entry[1], entry[0]))
        return longest, shortest

    def _take(self, longest: int, shortest: int, first: Row | None = None) -> Batch:
        """Up to `max_batch` rows of these lengths, long ones before short ones, `first` before all."""
        fitting = (
            row
            for length, _ in self.backlog.lengths()
            if shortest <= length <= longest
            for row in self.backlog.rows(length)
            if row is not first
        )
        rows = [] if first is None else [first]
        rows.extend(islice(fitting, self.max_batch - len(rows)))
        del rows[self._round(len(rows), longest) :]
        for row in rows:
            self.backlog.remove(row)
        return Batch(tuple(rows), longest)

    def _round(self, rows: int, length: int) -> int:
        """Rows, down to a power of two if that costs little: the device then meets fewer shapes."""
        fewer = 1 << (rows.bit_length() - 1)
        if rows == self.max_batch:
            return rows
        rate, lower_rate = (n / self.cost.estimate(n, length) for n in (rows, fewer))
        return fewer if lower_rate >= GOOD_ENOUGH * rate else rows

    def _form_suspects(self, in_flight: int) -> Batch | None:
        head = self._suspects[0].question
        exclusive = head.attempt > 2
        if exclusive and in_flight:
            return None
        if head.attempt == 2:
            room = max(1, self.max_batch // 8)
            company = [row for row in self._suspects if row.question.attempt == 2]
        elif head.attempt == 3:
            room = self.max_batch
            company = [
                row
                for row in self._suspects
                if row.question.request is head.request and row.question.attempt == 3
            ]
        else:
            room = self.max_batch
            company = [row for row in self._suspects if row.question is head]
        rows = tuple(company[:room])
        taken = set(rows)
        self._suspects = deque(row for row in self._suspects if row not in taken)
        return Batch(rows, max(row.length for row in rows), exclusive)
