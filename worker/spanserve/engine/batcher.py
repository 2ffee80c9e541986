"""Which rows go to the device next.

Work-conserving: a free slot is filled at once from what is there. Of all batches that could be formed,
the one with the most useful tokens per second by the cost table is taken: rows of one padded length, filled
up with shorter ones as long as that pays. A row that is due is served first, whatever it costs.

Where several callers have rows, that choice is free only as long as it leaves no caller far behind: else the caller
that has had least of the device, relative to its share, is served first, whatever would pay better. A row that is due
comes before the rows of its own caller only.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from spanserve.bundle import CostTable
from spanserve.contract.trace import TraceContext
from spanserve.engine.backlog import Backlog
from spanserve.engine.request import Row
from spanserve.engine.shares import Shares

#: A waiting row is due after this many times the cost of the largest batch.
PATIENCE_BATCHES = 16
#: A fuller batch is taken if its rate comes this close to the best: what a batch costs in addition to the table, its
#: way to the device and back and the preparing of a new shape, is paid less often.
GOOD_ENOUGH = 0.93
#: Costs of the largest batch that one caller may be behind another.
BEHIND_BATCHES = 2.0
#: Seconds that the innocent have the device for each second that suspects had it, while both wait.
INNOCENT_S = 9.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to run together, padded to `length`; an exclusive one is alone on the device."""

    rows: tuple[Row, ...]
    length: int
    exclusive: bool = False

    @property
    def traces(self) -> tuple[TraceContext | None, ...]:
        """Those that its rows belong to."""
        return tuple(row.question.request.trace for row in self.rows)


class Batcher:
    """Forms batches of at most `max_batch` rows.

    Rows that were in a batch that died are suspects. They run first, apart from the innocent, and with
    fewer and fewer others, so that the one that kills the device is found without condemning its neighbours:

        attempt 2         at most max_batch / 8 suspects
        attempt 3         the windows of one task, alone on the device
        attempt 4 and on  the windows of one question, alone on the device

    They take turns by caller, and get no more than a tenth of the device's time while the innocent wait.
    """

    def __init__(self, cost: CostTable, max_batch: int, max_length: int) -> None:
        self.cost = cost
        self.max_batch = max_batch
        self._largest = (max_batch, max_length)
        self.backlog = Backlog()
        self._shares = Shares()
        self._suspects: deque[Row] = deque()
        #: Of suspects: the last turn of each identity, connection and stream.
        self._turns: dict[tuple[str, ...], int] = {}
        self._turn_began: float | None = None
        self._next_turn = -math.inf

    def __len__(self) -> int:
        return len(self.backlog) + len(self._suspects)

    def limit(self, max_batch: int) -> None:
        """Make no larger batches than this from now on."""
        self.max_batch = max_batch
        self._largest = (max_batch, self._largest[1])

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
            self._shares.come(row.question.request.caller)
            return
        self._suspects.append(row)
        # Its siblings came as innocents, and may be what kills.
        self._suspects.extend(self._remove_innocent(lambda other: other.question is row.question))

    def remove(self, gone: Callable[[Row], bool]) -> list[Row]:
        """Take out the rows for which `gone` is true. Looks at all."""
        found = self._remove_innocent(gone)
        found.extend(row for row in self._suspects if gone(row))
        self._suspects = deque(row for row in self._suspects if not gone(row))
        if not self._suspects:
            self._turn_began = None
        return found

    def _remove_innocent(self, gone: Callable[[Row], bool]) -> list[Row]:
        found = [row for row in self.backlog if gone(row)]
        for row in found:
            self.backlog.remove(row)
            self._shares.go(row.question.request.caller, 1, 0.0)
        return found

    def form(self, now: float, in_flight: int) -> Batch | None:
        """Take the next batch out of the backlog.

        Args:
            in_flight: batches on the device.

        Returns:
            None if nothing waits, or if a suspect needs the device for itself and it is busy.
        """
        if self._suspects and (now >= self._next_turn or not self.backlog):
            return self._form_suspects(now, in_flight)
        return self._form_innocent(now)

    def _form_innocent(self, now: float) -> Batch | None:
        due = self.backlog.most_due()
        if due is None:
            return None
        first = due if due.due <= now else None
        if self._shares.several:
            caller, behind = self._shares.least()
            # What is due is urgent within its caller's share: that is no reason to let others fall behind.
            allowed = 0.0 if first is not None else BEHIND_BATCHES * self.cost.estimate(*self._largest)
            if behind > allowed:
                first = min((row for row in self.backlog if row.question.request.caller == caller), key=_due)
        lengths = self.backlog.lengths()
        if first is None:
            return self._take(*self._best(lengths, range(len(lengths))))
        place = [length for length, _ in lengths].index(first.length)
        return self._take(*self._best(lengths, range(place, place + 1)), first=first)

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
        """Up to `max_batch` rows of these lengths, long ones before short ones, `first` before all.

        Among several callers, that of `first` has its other rows of the same length in the batch before theirs.
        """
        fitting: Iterator[Row] = (
            row
            for length, _ in self.backlog.lengths()
            if shortest <= length <= longest
            for row in self.backlog.rows(length)
            if row is not first
        )
        if first is not None and self._shares.several:
            caller = first.question.request.caller
            fitting = iter(
                sorted(fitting, key=lambda row: (-row.length, row.question.request.caller != caller))
            )
        rows = [] if first is None else [first]
        rows.extend(islice(fitting, self.max_batch - len(rows)))
        del rows[self._round(len(rows), longest) :]
        each = self.cost.estimate(len(rows), longest) / len(rows)
        for row in rows:
            self.backlog.remove(row)
        for caller, count in Counter(row.question.request.caller for row in rows).items():
            self._shares.go(caller, count, count * each)
        return Batch(tuple(rows), longest)

    def _round(self, rows: int, length: int) -> int:
        """Rows, down to a power of two if that costs little: the device then meets fewer shapes."""
        fewer = 1 << (rows.bit_length() - 1)
        if rows == self.max_batch:
            return rows
        rate, lower_rate = (n / self.cost.estimate(n, length) for n in (rows, fewer))
        return fewer if lower_rate >= GOOD_ENOUGH * rate else rows

    # --- suspects ----------------------------------------------------------------------------------------

    def _form_suspects(self, now: float, in_flight: int) -> Batch | None:
        if self._turn_began is None:
            self._turn_began = now
        head = min(self._suspects, key=self._last_turn).question
        exclusive = head.attempt > 2
        if exclusive and in_flight:
            return None
        if head.attempt == 2:
            room = max(1, self.max_batch // 8)
            company = sorted(
                (row for row in self._suspects if row.question.attempt == 2), key=self._last_turn
            )
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
        batch = Batch(rows, max(row.length for row in rows), exclusive)
        self._end_turn(batch, now)
        return batch

    def _last_turn(self, row: Row) -> tuple[int, ...]:
        """When the caller of a suspect had a turn: its identity, its connection, and itself."""
        path = row.question.request.caller.path
        return tuple(self._turns.get(path[:depth], 0) for depth in (1, 2, 3))

    def _end_turn(self, batch: Batch, now: float) -> None:
        taken = set(batch.rows)
        self._suspects = deque(row for row in self._suspects if row not in taken)
        turn = 1 + max(self._turns.values(), default=0)
        for row in batch.rows:
            path = row.question.request.caller.path
            self._turns.update({path[:depth]: turn for depth in (1, 2, 3)})
        if not self._suspects:
            self._turns.clear()
        # From when the device was kept free for it, as far as it was, until it will be back.
        assert self._turn_began is not None
        spent = now - self._turn_began + self.cost.estimate(len(batch.rows), batch.length)
        self._next_turn = now + (1 + INNOCENT_S) * spent
        self._turn_began = None


def _due(row: Row) -> float:
    return row.due
