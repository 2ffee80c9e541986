"""Capacity: what each caller may hold, that promises and holdings never exceed what there is, and who waits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spanserve.contract import ErrorCode, Refusal
from spanserve.contract.limits import MAX_WINDOWS_PER_TASK
from spanserve.engine.account import Account
from spanserve.engine.caller import Caller
from spanserve.engine.capacity import BUSY_RETRY_MS, PROMISE_S, Capacity
from tests.kit.clock import Clock

WINDOWS = 128
SLACK = 16


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def capacity(clock: Clock) -> Capacity:
    return Capacity(WINDOWS, SLACK, clock)


def send(capacity: Capacity, account: Account, windows: int) -> None:
    """Questions of one window each, one task each."""
    for _ in range(windows):
        capacity.take(account, 1, 1)


def busy(capacity: Capacity, windows: int, caller: Caller | None = None) -> Account:
    """A caller that has sent so much, as it was granted."""
    account = capacity.open(caller or Caller())
    while account.held < windows:
        capacity.grant(account)
        send(capacity, account, min(account.credit, windows - account.held))
    return account


def test_a_single_caller_gets_all(capacity: Capacity) -> None:
    """One caller gets half of the capacity to begin with, all of it once it works, and not more."""
    account = capacity.open()
    assert WINDOWS // 2 == capacity.grant(account)
    assert 0 == capacity.grant(account)
    send(capacity, account, 1)
    assert WINDOWS // 2 == capacity.grant(account)
    send(capacity, account, WINDOWS - 1)
    assert (0, 0, WINDOWS) == (capacity.grant(account), capacity.room, account.held)


def test_idle_callers_leave_something(capacity: Capacity) -> None:
    """Each that comes and does nothing gets half of what is left; the last are welcome, and wait."""
    accounts = [capacity.open() for _ in range(20)]
    assert [64, 32, 16, 8, 4, 2, 1, 1] + 12 * [0] == [capacity.grant(account) for account in accounts]
    assert (WINDOWS, 12) == (capacity.used, capacity.waiting)


def test_who_waits_is_served_when_something_is_free(capacity: Capacity) -> None:
    """Room that comes back goes to those who wait before the one that had it all."""
    woken: list[int] = []
    first = busy(capacity, WINDOWS)
    others = [capacity.open(wake=lambda number=number: woken.append(number)) for number in range(3)]  # type: ignore[misc]
    assert [0, 0, 0] == [capacity.grant(one) for one in others]
    capacity.settle(first, 32)
    assert {0, 1, 2} == set(woken)
    assert [16, 8, 4] == [one.promised for one in others]
    assert all(capacity.grant(one) for one in others)
    assert 0 == capacity.grant(first)
    assert capacity.used <= WINDOWS


def test_unused_promises_lapse(capacity: Capacity, clock: Clock) -> None:
    """What an idle caller was promised goes to one that works; its credit stands, and is good if there is room."""
    idle = capacity.open()
    assert WINDOWS // 2 == capacity.grant(idle)
    worker = busy(capacity, WINDOWS // 2)
    assert 0 == capacity.grant(worker)
    clock.now += PROMISE_S
    assert WINDOWS // 2 == capacity.grant(worker)
    assert (WINDOWS // 2, 0) == (idle.credit, idle.promised)
    send(capacity, worker, WINDOWS // 4)
    capacity.settle(worker, WINDOWS // 4)
    capacity.take(idle, 1, 1)
    assert (1, WINDOWS // 2 - 1) == (idle.held, idle.credit)


def test_late_credit_does_not_overtake_those_who_wait(capacity: Capacity, clock: Clock) -> None:
    """Credit whose promise has lapsed is refused while others wait, and not charged; then it waits with them."""
    idle = capacity.open()
    capacity.grant(idle)
    worker = busy(capacity, WINDOWS // 2)
    clock.now += PROMISE_S
    capacity.grant(worker)
    waiting = capacity.open()
    assert (0, 0) == (idle.promised, capacity.grant(waiting))
    before = idle.credit
    with pytest.raises(Refusal) as caught:
        capacity.take(idle, 1, 1)
    error = caught.value
    assert (ErrorCode.RESOURCE_EXHAUSTED, BUSY_RETRY_MS) == (error.code, error.retry_after_ms)
    assert (before, 0, 2) == (idle.credit, idle.held, capacity.waiting)
    capacity.settle(worker, 32)
    assert waiting.promised
    assert idle.promised
    capacity.take(idle, 1, 1)


def test_connections_and_identities_share(capacity: Capacity) -> None:
    """Identities share by weight, connections evenly whatever their streams."""
    heavy, light = Caller("heavy", 3.0), Caller("light", 1.0)
    busy(capacity, 8, heavy)
    account = busy(capacity, 1, light)
    assert WINDOWS // 4 == capacity._share(account)
    many = [busy(capacity, 1, Caller("light", 1.0, "many", f"{n}")) for n in range(4)]
    assert WINDOWS // 8 == capacity._share(account)
    assert [WINDOWS // 32] * 4 == [capacity._share(one) for one in many]


def test_what_is_too_large_takes_nothing_from_others(capacity: Capacity) -> None:
    """A task of four times the capacity: who comes after it has the same part as beside any other task, and another
    such task waits for its turn, which identities have one after the other.
    """
    first = capacity.open(Caller("a", connection="1"))
    second = capacity.open(Caller("a", connection="2"))
    third = capacity.open(Caller("b"))
    capacity.grant(first)
    capacity.take(first, 64, 4 * WINDOWS)
    assert 0 == capacity.room
    assert 0 < capacity.grant(second) <= WINDOWS // 2
    for waits in (second, third):
        capacity.grant(waits)
        with pytest.raises(Refusal, match="no room"):
            capacity.take(waits, 1, 4 * WINDOWS)
    send(capacity, third, third.credit)
    assert third.held
    assert capacity.used <= 5 * WINDOWS + SLACK
    capacity.settle(first, 4 * WINDOWS)
    capacity.settle(third, third.held)
    capacity.grant(third)
    with pytest.raises(Refusal, match="no room"):
        capacity.take(second, 1, 4 * WINDOWS)  # it asked first, but its identity had the last turn
    capacity.take(third, 1, 4 * WINDOWS)
    capacity.settle(third, 4 * WINDOWS)
    capacity.take(second, 1, 4 * WINDOWS)
    for account in (first, second, third):
        capacity.close(account)
    assert (0, WINDOWS, None) == (capacity.used, capacity.room, capacity.turn.holder)


def test_what_was_estimated_too_low_takes_nothing_from_others(capacity: Capacity) -> None:
    """A task that turns out to be larger than its part is as one that was known to be."""
    first, second = capacity.open(Caller("a")), capacity.open(Caller("b"))
    capacity.grant(first)
    capacity.take(first, 1, 1)
    capacity.correct(first, 4 * WINDOWS)
    capacity.grant(second)
    capacity.grant(second)
    assert second.credit
    send(capacity, second, second.credit)


def test_overrun_is_refused(capacity: Capacity) -> None:
    """Without credit nothing is taken, and nothing is charged."""
    account = capacity.open()
    with pytest.raises(Refusal, match="without credit"):
        capacity.take(account, 1, 1)
    assert (0, 0, 0) == (account.credit, account.held, capacity.used)


def test_below_zero_and_back(capacity: Capacity) -> None:
    """A task may take the credit below zero; the caller then waits until results have made up for it."""
    account = busy(capacity, WINDOWS - 1)
    capacity.grant(account)
    capacity.take(account, 64, 64)  # one question left is enough
    assert -63 == account.credit
    with pytest.raises(Refusal):
        capacity.take(account, 1, 1)
    assert 0 == capacity.grant(account)
    capacity.settle(account, 63)
    assert (63, 0) == (capacity.grant(account), account.credit)  # 128 held: still nothing to send
    capacity.settle(account, 128)
    assert 0 < capacity.grant(account) == account.credit


def test_small_change_is_saved_up(capacity: Capacity) -> None:
    """Less than an eighth of a share is not worth a frame, unless the client can send nothing at all."""
    account = busy(capacity, 20)
    capacity.grant(account)
    capacity.settle(account, 15)
    assert 0 == capacity.grant(account)  # 15 missing of 128
    capacity.settle(account, 1)
    assert 16 == capacity.grant(account)  # 16 = 128 / 8
    send(capacity, account, account.credit)
    capacity.settle(account, 1)
    assert 1 == capacity.grant(account)


def test_long_questions_cost_more(capacity: Capacity) -> None:
    """Credit counts questions: whoever asks some that take several windows is granted fewer, and nobody else."""
    dear, plain = capacity.open(), capacity.open()
    for _ in range(200):  # the average has forgotten its first value: 0.95 ** 200 < 1e-4
        capacity.charge(dear, 2, 8)
        capacity.settle(dear, 8)
    dear.credit = 0
    assert WINDOWS // 2 // 4 == capacity.grant(dear)
    assert WINDOWS // 4 == capacity.grant(plain)


def test_even_the_smallest_worker_grants_one(clock: Clock) -> None:
    """A caller that is alone is always granted a question, however costly they are."""
    capacity = Capacity(8, 1, clock)
    account = capacity.open()
    for _ in range(200):
        capacity.charge(account, 1, 64)
        capacity.settle(account, 64)
    account.credit = 0
    assert 1 == capacity.grant(account)
    capacity.take(account, 1, 64)


def test_a_caller_that_leaves_frees_what_it_has(capacity: Capacity) -> None:
    """What was promised and told is free at once, what is still computed when it ends."""
    account = busy(capacity, 20)
    capacity.close(account, running=12)
    capacity.close(account, running=12)  # twice is once
    assert 12 == capacity.used
    capacity.settle(account, 12)
    assert (0, {}, {}) == (capacity.used, capacity._contenders, capacity._had)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["grant", "send", "send", "late", "settle", "correct", "close", "time"]),
        st.integers(1, 64),
        st.integers(1, MAX_WINDOWS_PER_TASK),
    ),
    max_size=150,
)


@settings(deadline=None)
@given(STEPS)
def test_never_more_than_there_is(steps: list[tuple[int, str, int, int]]) -> None:
    """Whatever the callers do: promises and holdings stay within the capacity, its slack and one task; the books add
    up; and credit is never made up.
    """
    clock = Clock()
    capacity = Capacity(WINDOWS, SLACK, clock)
    accounts: dict[int, Account] = {}
    told: dict[int, int] = {}
    sent: dict[int, int] = {}
    beyond = 0  # what estimates and leases that came anyhow have added
    for number, event, questions, windows in steps:
        if number not in accounts:
            accounts[number] = capacity.open(
                Caller(f"i{number % 2}", 1 + number % 2, f"c{number % 3}", f"{number}")
            )
            told[number] = sent[number] = 0
        account = accounts[number]
        before, room = capacity.used, capacity.room
        if event == "grant":
            told[number] += capacity.grant(account)
            assert capacity.room >= min(0, room)
        elif event == "send":
            try:
                capacity.take(account, questions, windows)
                sent[number] += questions
            except Refusal:
                assert before == capacity.used
        elif event == "settle":
            capacity.settle(account, min(windows, account.held))
        elif event == "correct":
            fewer = min(windows, account.held)
            capacity.correct(account, -fewer)
        elif event == "time":
            clock.now += questions / 32
        elif event == "close":
            capacity.close(accounts.pop(number))
        assert capacity.used <= WINDOWS + SLACK + MAX_WINDOWS_PER_TASK + beyond
        assert capacity.used == sum(one.held + one.promised for one in accounts.values())
        assert all(one.promised >= 0 and one.held >= 0 for one in accounts.values())
        for other, one in accounts.items():
            assert told[other] + one.offered - sent[other] == one.credit


def test_what_is_beyond_a_part_is_room_for_others_only(capacity: Capacity) -> None:
    """A connection that had all before another came makes no room for itself by having more than its part now."""
    greedy = busy(capacity, WINDOWS, Caller(connection="greedy"))
    other = capacity.open(Caller(connection="other"))
    capacity.charge(other, 0, 1)
    capacity.charge(greedy, 0, 1)
    assert greedy is capacity.turn.holder
    assert capacity.room_of(other) > 0
    for _ in range(3):
        assert capacity.room_of(greedy) < 0
        capacity.charge(greedy, 0, 1)
