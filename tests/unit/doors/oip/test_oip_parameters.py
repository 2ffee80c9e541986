"""Parameters of requests: what each means, and that nothing is ignored."""

from __future__ import annotations

from typing import Any

import pytest

from spanserve.contract import ErrorCode, Options, Priority, Refusal
from spanserve.contract.limits import ANSWER_TIMEOUT_MS, MAX_TIMEOUT_MS
from spanserve.doors.oip.parameters import Parameters

KNOWN = ("n_best", "max_answer_length", "timeout", "priority")


def of(**given: Any) -> Parameters:
    return Parameters(given, KNOWN)


def test_none() -> None:
    """Without parameters a request has the defaults of tasks, and the time of an `Answer`."""
    plain = of()
    assert (Options(), Priority.BULK, ANSWER_TIMEOUT_MS) == (plain.options, plain.priority, plain.timeout_ms)
    assert plain.n_best is None


def test_options() -> None:
    """n_best and max_answer_length are those of a task."""
    assert Options(n_best=3, max_answer_length=7) == of(n_best=3, max_answer_length=7).options


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [(1, 1), (1000, 1), (1001, 2), (2_500_000, 2500), (1000 * MAX_TIMEOUT_MS, MAX_TIMEOUT_MS)],
)
def test_timeout(timeout: int, expected: int) -> None:
    """It counts microseconds, as tritonclient's does; a part of a millisecond counts as one."""
    assert expected == of(timeout=timeout).timeout_ms


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        (0, Priority.BULK),
        (1, Priority.INTERACTIVE),
        (2, Priority.BULK),
        ("interactive", Priority.INTERACTIVE),
        ("bulk", Priority.BULK),
    ],
)
def test_priority(priority: int | str, expected: Priority) -> None:
    """The first level is interactive, as levels count in Triton; names do as well."""
    assert expected is of(priority=priority).priority


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("n_best", 0, "0"),
        ("n_best", 101, "101"),
        ("n_best", "3", "str"),
        ("n_best", True, "bool"),
        ("max_answer_length", 129, "129"),
        ("max_answer_length", 1.5, "float"),
        ("timeout", 0, "0 microseconds"),
        ("timeout", -1, "-1 microseconds"),
        ("timeout", 1000 * MAX_TIMEOUT_MS + 1, "86400000001 microseconds"),
        ("priority", 3, "3"),
        ("priority", True, "True"),
        ("priority", 1.0, "1.0"),
        ("priority", "urgent\x1b[1m", r"urgent\x1b[1m"),
    ],
)
def test_refused(name: str, value: Any, shown: str) -> None:
    """A value that cannot be used is refused by name, value and limit."""
    given = of(**{name: value})
    with pytest.raises(Refusal) as caught:
        _ = given.options, given.timeout_ms, given.priority
    error = caught.value
    assert (ErrorCode.INVALID_ARGUMENT, f"parameters.{name}", shown) == (error.code, error.field, error.value)
    assert error.limit


def test_unknown() -> None:
    """A parameter that the model has no use for is refused, and those it knows are named."""
    with pytest.raises(Refusal, match=r"parameters: .* \(found top_k, limit n_best, max_answer_length, "):
        of(top_k=3)
