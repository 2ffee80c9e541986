"""Every limit of a task: the last value that is taken, the first one that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from spanserve.contract import ErrorCode, Options, Priority, Question, Refusal, Task

INVALID, LARGE = ErrorCode.INVALID_ARGUMENT, ErrorCode.OUT_OF_RANGE
#: 3 bytes of UTF-8 each, so that bytes and code points cannot be mistaken for each other.
HAN = "桥"


def make(**changes: Any) -> Task:
    fields: dict[str, Any] = {"id": "t1", "context": "The harbour froze.", "questions": questions(1)}
    return Task(**{**fields, **changes})


def questions(count: int) -> tuple[Question, ...]:
    return tuple(Question(str(number), "When?") for number in range(count))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"id": "x"}, id="id-1"),
        pytest.param({"id": "x" * 128}, id="id-128"),
        pytest.param({"id": "Aa0._:-"}, id="id-alphabet"),
        pytest.param({"run_id": "r" * 128, "tenant": "t" * 128}, id="run-and-tenant-128"),
        pytest.param({"run_id": "", "tenant": ""}, id="no-run-no-tenant"),
        pytest.param({"context": "x"}, id="context-1-byte"),
        pytest.param({"context": "x" * 49152}, id="context-48-KiB-ascii"),
        # 16384 * 3 bytes = 49152 = 48 KiB
        pytest.param({"context": HAN * 16384}, id="context-48-KiB-han"),
        pytest.param({"context": "\0"}, id="context-nul"),
        pytest.param({"context": "\u202eabc\u202c"}, id="context-bidi"),
        # "a" is 1 byte, a combining acute accent 2: 1 + 2 * 24575 = 49151
        pytest.param({"context": "a" + "\u0301" * 24575}, id="context-24k-combining-marks"),
        pytest.param({"questions": questions(64)}, id="questions-64"),
        pytest.param({"timeout_ms": 1}, id="timeout-1-ms"),
        pytest.param({"timeout_ms": 86_400_000}, id="timeout-24-h"),
        pytest.param({"timeout_ms": None}, id="no-timeout"),
    ],
)
def test_at_the_limit(changes: dict[str, Any]) -> None:
    """A value at its limit is taken as it is."""
    task = make(**changes)
    assert changes == {name: getattr(task, name) for name in changes}


@pytest.mark.parametrize(
    ("changes", "code", "field", "value", "limit"),
    [
        pytest.param({"id": ""}, INVALID, "id", "0 characters", "{1,128}", id="id-empty"),
        pytest.param({"id": "x" * 129}, INVALID, "id", "129 characters", "{1,128}", id="id-129"),
        pytest.param({"id": "a b"}, INVALID, "id", "3 characters", "{1,128}", id="id-space"),
        pytest.param({"id": "a\n"}, INVALID, "id", "2 characters", "{1,128}", id="id-newline-behind"),
        pytest.param({"id": "é"}, INVALID, "id", "1 characters", "{1,128}", id="id-not-ascii"),
        pytest.param({"id": "\ud800"}, INVALID, "id", "1 characters", "{1,128}", id="id-surrogate"),
        pytest.param({"run_id": "r" * 129}, INVALID, "run_id", "129 characters", "{1,128}", id="run-129"),
        pytest.param({"tenant": "a/b"}, INVALID, "tenant", "3 characters", "{1,128}", id="tenant-slash"),
        pytest.param({"context": ""}, INVALID, "context", "0 words", "", id="context-empty"),
        pytest.param({"context": " \t\r\n"}, INVALID, "context", "0 words", "", id="context-white"),
        pytest.param(
            {"context": "\u3000\u202f\x85"}, INVALID, "context", "0 words", "", id="context-wide-white"
        ),
        pytest.param(
            {"context": "x" * 49153}, LARGE, "context", "49153 bytes", "49152 bytes", id="context-ascii"
        ),
        # 16384 * 3 + 1
        pytest.param(
            {"context": HAN * 16384 + "x"}, LARGE, "context", "49153 bytes", "49152 bytes", id="context-han"
        ),
        pytest.param(
            {"context": "x" * 2**20}, LARGE, "context", "1048576 bytes", "49152 bytes", id="context-1-MB"
        ),
        # 100,000 * 2 bytes
        pytest.param(
            {"context": "\u0301" * 100_000},
            LARGE,
            "context",
            "200000 bytes",
            "49152 bytes",
            id="context-100k-combining-marks",
        ),
        pytest.param({"context": "ab\ud83d"}, INVALID, "context", "code point 2", "", id="context-surrogate"),
        pytest.param({"questions": ()}, INVALID, "questions", "0 questions", "", id="no-questions"),
        pytest.param(
            {"questions": questions(65)},
            LARGE,
            "questions",
            "65 questions",
            "64 questions",
            id="questions-65",
        ),
        pytest.param(
            {"questions": questions(2) + questions(1)}, INVALID, "questions", "", "", id="questions-same-id"
        ),
        pytest.param({"timeout_ms": 0}, INVALID, "timeout_ms", "0", "1 to 86400000", id="timeout-0"),
        pytest.param(
            {"timeout_ms": 86_400_001},
            INVALID,
            "timeout_ms",
            "86400001",
            "1 to 86400000",
            id="timeout-over-24-h",
        ),
    ],
)
def test_beyond_the_limit(
    changes: dict[str, Any], code: ErrorCode, field: str, value: str, limit: str
) -> None:
    """One beyond is refused, with the field, what was found and what is allowed."""
    with pytest.raises(Refusal) as caught:
        make(**changes)
    refusal = caught.value
    assert (code, field, value) == (refusal.code, refusal.field, refusal.value)
    assert limit in refusal.limit
    assert bool(limit) == bool(refusal.limit)
    assert refusal.message


@pytest.mark.parametrize(
    ("name", "limit"),
    [("n_best", 100), ("max_answer_length", 128), ("doc_stride", 384), ("max_query_length", 128)],
)
def test_options(name: str, limit: int) -> None:
    """An option is taken from 1 to its limit and refused outside."""
    for inside in (1, limit):
        assert inside == getattr(Options(**{name: inside}), name)
    for outside in (-1, 0, limit + 1):
        with pytest.raises(Refusal) as caught:
            Options(**{name: outside})
        found = (caught.value.code, caught.value.field, caught.value.value, caught.value.limit)
        assert (INVALID, f"options.{name}", str(outside), f"1 to {limit}") == found


def test_option_defaults() -> None:
    """The defaults are those of run_squad; a task is bulk, on its first attempt, without deadline."""
    assert Options(n_best=20, max_answer_length=30, doc_stride=128, max_query_length=64) == Options()
    task = make()
    assert (Options(), None, Priority.BULK, 1) == (task.options, task.timeout_ms, task.priority, task.attempt)


@pytest.mark.parametrize(
    "name",
    ["x", "x" * 256, "é" * 128, "\0", "a b/c\n", "🏙" * 64],
    ids=["1", "256-bytes", "128-times-2-bytes", "nul", "any-text", "64-times-4-bytes"],
)
def test_question_id(name: str) -> None:
    """A question's id is any text of 1 to 256 bytes."""
    assert name == Question(name, "?").id


@pytest.mark.parametrize(
    ("name", "text", "code", "field", "value"),
    [
        pytest.param("", "?", INVALID, "questions.id", "0 bytes", id="id-empty"),
        pytest.param("x" * 257, "?", LARGE, "questions.id", "257 bytes", id="id-257"),
        # 128 * 2 + 1 bytes
        pytest.param("é" * 128 + "x", "?", LARGE, "questions.id", "257 bytes", id="id-257-multi-byte"),
        pytest.param("\udc00", "?", INVALID, "questions.id", "code point 0", id="id-surrogate"),
        pytest.param("q", "ab\ud800", INVALID, "questions.text", "code point 2", id="text-surrogate"),
    ],
)
def test_question_refused(name: str, text: str, code: ErrorCode, field: str, value: str) -> None:
    """An id that cannot travel, or a text that is none, is no question at all."""
    with pytest.raises(Refusal) as caught:
        Question(name, text)
    assert (code, field, value) == (caught.value.code, caught.value.field, caught.value.value)


@pytest.mark.parametrize(
    "text",
    # 512 * 4 bytes = 2048 = 2 KiB: both limits are reached at once
    ["?", "x" * 512, "🏙" * 512, "\0", "\u200b"],
    ids=["1", "512-characters", "512-characters-of-2-KiB", "nul", "zero-width"],
)
def test_question_sound(text: str) -> None:
    """A question within its limits has no fault."""
    assert Question("q", text).fault() is None


@pytest.mark.parametrize(
    ("text", "code", "value", "limit"),
    [
        pytest.param("", INVALID, "0 words", "", id="empty"),
        pytest.param(" \u3000\n", INVALID, "0 words", "", id="white"),
        pytest.param("x" * 513, LARGE, "513 characters", "512 characters", id="513-characters"),
        pytest.param("x" * 2**20, LARGE, "1048576 characters", "512 characters", id="1-MB"),
        # characters are counted first: 513 * 4 bytes is over both limits
        pytest.param("🏙" * 513, LARGE, "513 characters", "512 characters", id="over-both"),
    ],
)
def test_question_fault(text: str, code: ErrorCode, value: str, limit: str) -> None:
    """A faulty text keeps its question, so that it can be answered with the reason."""
    fault = Question("q", text).fault()
    assert fault is not None
    found = (fault.code, fault.field, fault.value, fault.limit)
    assert (code, "questions.text", value, limit) == found


def test_faulty_question_does_not_refuse_its_task() -> None:
    """A task with a faulty question exists; its other questions can be asked."""
    task = make(questions=(Question("bad", ""), Question("good", "When?")))
    assert [False, True] == [question.fault() is None for question in task.questions]
