"""The batcher: which rows share a batch, by the cost table, by due time, and by suspicion."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from spanserve.bundle import CostTable
from spanserve.engine.batcher import PATIENCE_BATCHES, Batch, Batcher
from spanserve.engine.request import Row
from tests.kit.rows import make_question, make_request, make_row

#: A batch costs a second, whatever is in it.
FLAT = CostTable((1, 2), (16, 32), ((1.0, 1.0), (1.0, 1.0)))


def table(at_32: Sequence[float], at_16: Sequence[float]) -> CostTable:
    """Seconds of batches of 1 to 4 rows padded to 32 and to 16 tokens."""
    return CostTable((1, 2, 3, 4), (16, 32), tuple(zip(at_16, at_32, strict=True)))


def batcher_of(cost: CostTable, rows: Sequence[Row], max_batch: int = 4) -> Batcher:
    batcher = Batcher(cost, max_batch, 32)
    for row in rows:
        batcher.add(row)
    return batcher


def formed(batcher: Batcher, now: float = 0.0, in_flight: int = 0) -> Batch:
    batch = batcher.form(now, in_flight)
    assert batch is not None
    return batch


# Two rows of 32 tokens wait, and two of 16. Useful tokens per second of what could be formed:
#   32 32        64 / c(2, 32)
#   32 32 16     not an option: a length is taken whole, as far as it fits
#   32 32 16 16  96 / c(4, 32)
#   16 16        32 / c(2, 16)
CHOICES = {
    "filling-is-free": ((1, 1, 1, 1), (1, 1, 1, 1), [32, 32, 16, 16]),  # 64, 96, 32
    "filling-pays": ((1, 1, 1.2, 1.4), (0.9, 0.9, 1, 1), [32, 32, 16, 16]),  # 64, 68.6, 35.6
    "filling-does-not-pay": ((1, 1, 1.3, 1.7), (0.6, 0.6, 1, 1), [32, 32]),  # 64, 56.5, 53.3
    "filling-costs-little": ((1, 1, 1.3, 1.6), (0.6, 0.6, 1, 1), [32, 32, 16, 16]),  # 64, 60, 53.3
    "the-short-ones-first": ((1, 1, 1.3, 1.6), (0.4, 0.4, 1, 1), [16, 16]),  # 64, 60, 80
}


@pytest.mark.parametrize(("at_32", "at_16", "expected"), CHOICES.values(), ids=CHOICES)
def test_best_rate(at_32: Sequence[float], at_16: Sequence[float], expected: list[int]) -> None:
    """The batch with the most useful tokens per second is formed, or a fuller one that comes close to it."""
    batcher = batcher_of(table(at_32, at_16), [make_row(length) for length in (16, 32, 16, 32)])
    batch = formed(batcher)
    assert expected == [row.length for row in batch.rows]
    assert expected[0] == batch.length
    assert 4 - len(expected) == len(batcher)


def test_fills_by_length_while_it_pays() -> None:
    """Lengths are added longest first, and those behind the best point stay."""
    # 48: 48/1.0 = 48; with 32: 80/1.1 = 72.7; with 16 as well: 96/2.0 = 48. Alone: 32/1 and 16/1; 32 16: 48/1.1
    cost = CostTable((1, 2, 3), (16, 48), ((1.0, 1.0), (1.1, 1.1), (2.0, 2.0)))
    batcher = batcher_of(cost, [make_row(length) for length in (16, 32, 48)])
    assert [48, 32] == [row.length for row in formed(batcher).rows]
    assert [16] == [row.length for row in formed(batcher).rows]
    assert batcher.form(0.0, 0) is None


def test_rounds_rows_down() -> None:
    """Where cost grows with rows, a batch holds a power of two; where a batch costs the same, all that wait."""
    linear = CostTable((1, 4), (16, 32), ((1.0, 2.0), (4.0, 8.0)))
    for cost, expected in ((linear, 2), (table((1, 1, 1, 1), (1, 1, 1, 1)), 3)):
        assert expected == len(formed(batcher_of(cost, [make_row(16) for _ in range(3)])).rows)


def test_largest_batch() -> None:
    """More rows than fit are taken in the order they came, a full batch at a time."""
    rows = [make_row(16) for _ in range(5)]
    batcher = batcher_of(FLAT, rows, max_batch=2)
    assert [rows[:2], rows[2:4], rows[4:]] == [list(formed(batcher).rows) for _ in range(3)]


def test_due_goes_first() -> None:
    """A row that is due leaves at once, at its own length, though a longer batch would pay more."""
    long = [make_row(32) for _ in range(4)]
    short = [make_row(16), make_row(16, due=5.0)]
    batcher = batcher_of(FLAT, [*long, *short])
    assert long == list(formed(batcher, now=4.9).rows)
    for row in long:
        batcher.add(row)
    batch = formed(batcher, now=5.0)
    assert ([short[1], short[0]], 16) == (list(batch.rows), batch.length)


def test_due_takes_company() -> None:
    """A due row is filled up with its like and with shorter ones, never with longer ones, never beyond the batch."""
    due = make_row(32, due=1.0)
    rows = [make_row(16), make_row(48), make_row(32), due, make_row(16), make_row(16)]
    batch = formed(batcher_of(FLAT, rows), now=1.0)
    assert [due, rows[2], rows[0], rows[4]] == list(batch.rows)
    assert 32 == batch.length


def test_earliest_due_of_all() -> None:
    """Of several due rows the earliest chooses the length."""
    first, second = make_row(16, due=1.0), make_row(32, due=2.0)
    batcher = batcher_of(FLAT, [second, first])
    assert [[first], [second]] == [list(formed(batcher, now=3.0).rows) for _ in range(2)]


def test_times_scale_with_the_cost() -> None:
    """Patience is counted in largest batches, the reserve before a deadline in those plus one."""
    batcher = Batcher(FLAT.scaled(0.5), 4, 32)
    assert PATIENCE_BATCHES * 0.5 == batcher.patience_s
    assert [0.5, 1.5] == [batcher.reserve_s(0), batcher.reserve_s(2)]


# Twelve suspects wait: four requests of three questions each.
COMPANY = {
    "second-run-of-16": (16, 2, 2, False),  # 16 / 8
    "second-run-of-64": (64, 2, 8, False),  # 64 / 8
    "second-run-of-4": (4, 2, 1, False),  # 4 / 8, at least 1
    "third-run": (16, 3, 3, True),  # the questions of one task
    "fourth-run": (16, 4, 1, True),  # one question
    "fifth-run": (16, 5, 1, True),
}


@pytest.mark.parametrize(("max_batch", "attempt", "expected", "exclusive"), COMPANY.values(), ids=COMPANY)
def test_suspects_in_ever_smaller_company(
    max_batch: int, attempt: int, expected: int, exclusive: bool
) -> None:
    """Rows of a batch that died run again with an eighth of a batch, then their task alone, then their question."""
    rows = [
        make_row(question=question)
        for request in [make_request(3, attempt=attempt) for _ in range(4)]
        for question in request.questions
    ]
    batch = formed(batcher_of(FLAT, rows, max_batch))
    assert (rows[:expected], exclusive) == (list(batch.rows), batch.exclusive)


def test_suspects_before_innocents_and_apart() -> None:
    """Suspects run first and never share a batch with rows that did nothing."""
    innocent, suspect = make_row(16), make_row(16, attempt=2)
    batcher = batcher_of(FLAT, [innocent, suspect], max_batch=16)
    assert 2 == len(batcher)
    assert [[suspect], [innocent]] == [list(formed(batcher).rows) for _ in range(2)]


def test_exclusive_waits_for_an_idle_device() -> None:
    """A suspect of the third run waits until nothing else is on the device, and so does all behind it."""
    suspect, innocent = make_row(attempt=3), make_row()
    batcher = batcher_of(FLAT, [suspect, innocent])
    assert batcher.form(0.0, in_flight=1) is None
    assert ((suspect,), True) == ((batch := formed(batcher)).rows, batch.exclusive)
    assert (innocent,) == formed(batcher, in_flight=1).rows


def test_windows_of_one_question_stay_together() -> None:
    """A suspect question takes all its windows along, up to a batch, padded to the longest."""
    question = make_question(windows=3, attempt=4)
    rows = [make_row(length, question=question, part=part) for part, length in enumerate((32, 32, 16))]
    batcher = batcher_of(FLAT, [*rows, make_row(attempt=4)], max_batch=2)
    assert ((rows[0], rows[1]), 32) == ((batch := formed(batcher)).rows, batch.length)
    assert ((rows[2],), 16) == ((batch := formed(batcher)).rows, batch.length)


class BatcherLife(RuleBasedStateMachine):
    """Rows enter, form batches, come back from batches that died; whatever the order, none is lost or doubled."""

    MAX_BATCH = 8

    def __init__(self) -> None:
        super().__init__()
        cost = CostTable((1, 8), (16, 48), ((1.0, 2.0), (3.0, 9.0)))
        self.batcher = Batcher(cost, self.MAX_BATCH, 48)
        self.waiting: set[Row] = set()
        self.in_flight: list[Batch] = []
        self.now = 0.0

    @rule(
        lengths=st.lists(st.sampled_from([16, 32, 48]), min_size=1, max_size=12),
        due=st.sampled_from([0.0, 3.0, 1e9]),
        attempt=st.sampled_from([1, 1, 1, 2, 3, 4]),
        questions=st.integers(1, 3),
    )
    def arrive(self, lengths: list[int], due: float, attempt: int, questions: int) -> None:
        asked = make_request(questions, attempt=attempt).questions
        for part, length in enumerate(lengths):
            row = make_row(length, due=self.now + due, question=asked[part % questions], part=part)
            self.batcher.add(row)
            self.waiting.add(row)

    @rule(seconds=st.sampled_from([0.0, 1.0, 5.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def form(self) -> None:
        busy = len(self.in_flight)
        if any(batch.exclusive for batch in self.in_flight):
            return  # the engine forms nothing beside an exclusive batch
        batch = self.batcher.form(self.now, busy)
        if batch is None:
            assert not self.waiting or busy, "an idle device never waits"
            return
        assert 1 <= len(batch.rows) <= self.MAX_BATCH
        assert len(set(batch.rows)) == len(batch.rows)
        assert set(batch.rows) <= self.waiting, "a row comes out once"
        assert batch.length == max(row.length for row in batch.rows)
        assert not (batch.exclusive and busy)
        assert batch.exclusive == any(row.question.attempt > 2 for row in batch.rows)
        assert len({row.question.attempt > 1 for row in batch.rows}) == 1, "suspects are apart"
        self.waiting.difference_update(batch.rows)
        self.in_flight.append(batch)

    @precondition(lambda self: self.in_flight)
    @rule(dies=st.booleans())
    def come_back(self, dies: bool) -> None:
        batch = self.in_flight.pop(0)
        if dies:
            for question in {row.question: None for row in batch.rows}:
                question.attempt += 1
            for row in batch.rows:
                self.batcher.add(row)
                self.waiting.add(row)

    @invariant()
    def nothing_is_lost(self) -> None:
        assert len(self.waiting) == len(self.batcher)

    def teardown(self) -> None:
        self.in_flight.clear()
        while (batch := self.batcher.form(self.now, 0)) is not None:
            assert set(batch.rows) <= self.waiting
            self.waiting.difference_update(batch.rows)
        assert not self.waiting


TestBatcherLife = BatcherLife.TestCase
TestBatcherLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
