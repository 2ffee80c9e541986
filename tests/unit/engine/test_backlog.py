"""The backlog: who waits, in which order, and who is due first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spanserve.engine.backlog import Backlog
from tests.kit.rows import make_row


def test_empty() -> None:
    """An empty backlog has no lengths, no rows, and nobody due."""
    backlog = Backlog()
    assert (0, [], [], None) == (len(backlog), backlog.lengths(), list(backlog.rows(16)), backlog.most_due())


def test_order() -> None:
    """Lengths come longest first, rows of one length first in, first out."""
    backlog = Backlog()
    rows = [make_row(length) for length in (16, 48, 16, 32, 48, 16)]
    for row in rows:
        backlog.add(row)
    assert [(48, 2), (32, 1), (16, 3)] == backlog.lengths()
    assert [rows[0], rows[2], rows[5]] == list(backlog.rows(16))
    assert 6 == len(backlog)


def test_removal_from_anywhere() -> None:
    """A row leaves from any place; the last one takes its length along."""
    backlog = Backlog()
    first, second, third = rows = [make_row(16) for _ in range(3)]
    for row in rows:
        backlog.add(row)
    backlog.remove(second)
    assert [first, third] == list(backlog.rows(16))
    backlog.remove(first)
    backlog.remove(third)
    assert (0, []) == (len(backlog), backlog.lengths())


def test_most_due_skips_those_that_left() -> None:
    """Rows that have left are dropped from the due order when somebody looks, not before."""
    backlog = Backlog()
    late, soon, next_ = make_row(16, due=9.0), make_row(32, due=1.0), make_row(48, due=2.0)
    for row in (late, soon, next_):
        backlog.add(row)
    assert soon is backlog.most_due()
    backlog.remove(soon)
    assert next_ is backlog.most_due()
    backlog.remove(late)  # behind the head: stays in the heap, unseen
    assert next_ is backlog.most_due()
    backlog.remove(next_)
    assert backlog.most_due() is None


def test_equally_due() -> None:
    """Of rows due at the same time the first to come is first."""
    backlog = Backlog()
    rows = [make_row(16, due=5.0) for _ in range(3)]
    for row in rows:
        backlog.add(row)
    assert rows[0] is backlog.most_due()


@given(st.lists(st.tuples(st.sampled_from([16, 32, 48]), st.integers(0, 5), st.booleans()), max_size=30))
def test_as_a_sorted_list_would(steps: list[tuple[int, int, bool]]) -> None:
    """Whatever enters and leaves, size, lengths and the most due row are those of a plain list."""
    backlog, model = Backlog(), []
    for length, due, leave in steps:
        row = make_row(length, due=due)
        backlog.add(row)
        model.append(row)
        if leave:
            gone = min(model, key=lambda row: row.due)
            assert gone is backlog.most_due()
            backlog.remove(gone)
            model.remove(gone)
        assert len(model) == len(backlog)
        counts = {row.length: sum(other.length == row.length for other in model) for row in model}
        assert sorted(counts.items(), reverse=True) == backlog.lengths()
