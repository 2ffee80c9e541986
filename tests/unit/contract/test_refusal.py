"""Refusals: numbers as on the wire, sentences without the input."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spanserve.contract import ErrorCode, Options, Question, Refusal, Task
from spanserve.contract.errors import SpanserveError
from spanserve.v1 import task_pb2 as pb

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
REFUSALS = st.builds(
    Refusal,
    st.sampled_from(ErrorCode),
    TEXTS,
    field=TEXTS,
    value=TEXTS,
    limit=TEXTS,
    retry_after_ms=st.none() | st.integers(0, 2**32 - 1),
)


def test_codes_match_the_protocol() -> None:
    """Every kind of failure of the protocol has its number here, and none else."""
    prefix = "ERROR_CODE_"
    expected = {name.removeprefix(prefix): number for name, number in pb.ErrorCode.items() if number}
    assert expected == {code.name: code.value for code in ErrorCode}


def test_retryable() -> None:
    """Only a full or an absent worker is worth another try."""
    retryable = {code for code in ErrorCode if code.retryable}
    assert {ErrorCode.RESOURCE_EXHAUSTED, ErrorCode.UNAVAILABLE} == retryable


@given(REFUSALS)
def test_round_trip(refusal: Refusal) -> None:
    """A refusal survives its message; a retry time of 0 is not the absence of one."""
    assert refusal == Refusal.from_proto(pb.Error.FromString(refusal.to_proto().SerializeToString()))


@pytest.mark.parametrize("number", [0, max(ErrorCode) + 1, 9999])
def test_unknown_code(number: int) -> None:
    """A kind of failure that only a newer worker knows is INTERNAL; its sentence is kept."""
    data = pb.Error(code=cast(pb.ErrorCode.ValueType, number), message="new words").SerializeToString()
    refusal = Refusal.from_proto(pb.Error.FromString(data))
    assert Refusal(ErrorCode.INTERNAL, "new words") == refusal


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        pytest.param(Refusal(ErrorCode.POISON, "gave up"), "POISON: gave up", id="bare"),
        pytest.param(Refusal.invalid("id", "is empty"), "INVALID_ARGUMENT: id: is empty", id="field"),
        pytest.param(
            Refusal.too_large("context", 3, 2, "bytes"),
            "OUT_OF_RANGE: context: too many bytes (found 3 bytes, limit 2 bytes)",
            id="limit",
        ),
    ],
)
def test_sentence(refusal: Refusal, text: str) -> None:
    """A refusal reads as one line: code, field, sentence, and the limit where there is one."""
    assert text == str(refusal)


def test_is_an_error_of_ours() -> None:
    """A refusal can be raised, caught as SpanserveError, compared and hashed."""
    one, same = (Refusal.invalid("id", "is empty") for _ in range(2))
    assert isinstance(one, SpanserveError)
    assert {one} == {same}


@given(
    st.text(st.characters(min_codepoint=0xA1), min_size=8, max_size=12),
    st.sampled_from(["id", "run_id", "tenant", "context", "questions"]),
    st.sampled_from([1, 50_000]),
)
def test_never_quotes_the_input(text: str, field: str, times: int) -> None:
    """Whatever a task holds, no part of a refusal holds any of it."""
    assume(not text.isspace())
    secret = text * times
    fields: dict[str, Any] = {"id": "t", "context": "c", "questions": (Question("q", "?"),)}
    found: list[Refusal | None] = []
    try:
        if field == "questions":
            twins = (Question(text, secret), Question(text, secret))
            found += [question.fault() for question in twins]
            fields[field] = twins
        else:
            fields[field] = secret
        Task(**fields)
    except Refusal as refusal:
        found.append(refusal)
    assert all(text not in str(refusal) + repr(refusal) for refusal in found)


def test_options_name_their_number_only() -> None:
    """A refused option tells the number that was asked for."""
    with pytest.raises(
        Refusal, match=r"^INVALID_ARGUMENT: options.n_best: out of range \(found 101, limit 1 to 100\)$"
    ):
        Options(n_best=101)
