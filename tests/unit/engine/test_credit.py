"""Credit: what each stream may send, and that the sum stays within what the worker holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanserve.engine.credit import Account, CreditPool

CAPACITY = 128
IDLE = 16


@pytest.fixture
def pool() -> CreditPool:
    return CreditPool(CAPACITY, IDLE)


def busy(pool: CreditPool, questions: int) -> Account:
    """A stream that has sent `questions` of its credit."""
    account = pool.open()
    pool.grant(account)
    assert pool.take(account, questions)
    return account


def test_a_single_stream_gets_all(pool: CreditPool) -> None:
    """One stream gets the whole capacity, once."""
    account = pool.open()
    assert CAPACITY == pool.grant(account)
    assert 0 == pool.grant(account)


def test_busy_streams_share(pool: CreditPool) -> None:
    """Streams with work share evenly; the first one's surplus is not taken back but not renewed."""
    first = busy(pool, CAPACITY)
    second = busy(pool, 1)
    assert IDLE - 1 == second.credit  # it was idle when it was granted
    assert CAPACITY // 2 - IDLE == pool.grant(second)  # 64 in all: 1 held, 63 to send
    pool.settle(first, 60)
    assert 0 == pool.grant(first)  # 68 held, above its share of 64
    pool.settle(first, 20)
    assert CAPACITY // 2 - 48 == pool.grant(first)


def test_idle_streams_hold_nobody_back(pool: CreditPool) -> None:
    """Streams that send nothing do not count when the capacity is divided."""
    idle = [pool.open() for _ in range(20)]
    for account in idle:
        pool.grant(account)
    worker = busy(pool, 1)
    assert CAPACITY == worker.held + worker.credit


def test_a_newcomer_among_busy_streams(pool: CreditPool) -> None:
    """A stream that opens while others work is kept ready for a batch, not for a share."""
    busy(pool, CAPACITY)
    assert IDLE == pool.grant(pool.open())


def test_a_closed_stream_frees_its_share(pool: CreditPool) -> None:
    """When a stream ends, the others get what it had."""
    first, second = busy(pool, CAPACITY), busy(pool, IDLE)
    pool.close(first)
    pool.close(first)  # twice is once
    assert CAPACITY - IDLE == pool.grant(second)


def test_overrun_is_refused(pool: CreditPool) -> None:
    """Without credit nothing is taken, and nothing is charged."""
    account = pool.open()
    assert not pool.take(account, 1)
    assert (0, 0) == (account.credit, account.held)


def test_below_zero_and_back(pool: CreditPool) -> None:
    """A task may take the credit below zero; the stream then waits until results have made up for it."""
    account = pool.open()
    pool.grant(account)
    assert pool.take(account, CAPACITY - 1)
    assert pool.take(account, 64)  # one question left is enough
    assert -63 == account.credit
    assert not pool.take(account, 1)
    assert 0 == pool.grant(account)  # 191 held
    pool.settle(account, 63)
    assert (63, 0) == (pool.grant(account), account.credit)  # 128 held: still nothing to send
    pool.settle(account, 128)
    assert (CAPACITY, CAPACITY) == (pool.grant(account), account.credit)


def test_small_change_is_saved_up(pool: CreditPool) -> None:
    """Less than an eighth of a share is not worth a frame, unless the client can send nothing at all."""
    account = busy(pool, 20)
    pool.settle(account, 15)
    assert 0 == pool.grant(account)  # 15 missing of 128
    pool.settle(account, 1)
    assert 16 == pool.grant(account)  # 16 = 128 / 8
    assert pool.take(account, account.credit)
    pool.settle(account, 1)
    assert 1 == pool.grant(account)


def test_long_questions_cost_more(pool: CreditPool) -> None:
    """Credit counts questions: where each takes several windows, fewer are granted."""
    for _ in range(200):  # the average has forgotten its first value: 0.95 ** 200 < 1e-4
        pool.observe(windows=8, questions=2)
    assert CAPACITY // 4 == pool.grant(pool.open())


def test_even_the_smallest_worker_grants_one() -> None:
    """A stream is always granted at least one question, however costly they are."""
    pool = CreditPool(8, 1)
    for _ in range(200):
        pool.observe(windows=64, questions=1)
    assert 1 == pool.grant(pool.open())


Step = tuple[int, str, int]
STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["grant", "send", "settle", "close"]), st.integers(1, 64)),
    max_size=120,
)


@settings(deadline=None)
@given(STEPS)
def test_what_a_stream_may_hold_is_bounded(steps: list[Step]) -> None:
    """No order of events lets a stream hold more than the capacity and one task, or lets credit be made up."""
    pool = CreditPool(CAPACITY, IDLE)
    accounts: dict[int, Account] = {}
    granted: dict[int, int] = {}
    sent: dict[int, int] = {}
    for number, event, questions in steps:
        account = accounts.get(number)
        if account is None:
            accounts[number] = account = pool.open()
            granted[number] = sent[number] = 0
        if event == "grant":
            before = account.held + account.credit
            grant = pool.grant(account)
            granted[number] += grant
            others = sum(other.held > 0 for other in accounts.values() if other is not account)
            assert grant >= 0
            assert account.held + account.credit <= max(before, CAPACITY // (others + 1))
        elif event == "send" and pool.take(account, questions):
            sent[number] += questions
        elif event == "settle":
            pool.settle(account, min(questions, account.held))
        elif event == "close":
            pool.close(accounts.pop(number))
            continue
        assert account.held <= CAPACITY + 63
        assert granted[number] - sent[number] == account.credit
