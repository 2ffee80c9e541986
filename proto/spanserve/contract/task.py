"""A task: one context and the questions about it."""

from __future__ import annotations

import enum
import re
from collections.abc import Sized
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from spanserve.contract import limits
from spanserve.contract.errors import Refusal
from spanserve.v1 import task_pb2 as pb

_ID = re.compile(limits.ID_PATTERN, re.ASCII)


class Priority(enum.IntEnum):
    """Traffic classes; the numbers are those of `spanserve.v1.Priority`."""

    BULK = pb.PRIORITY_BULK
    INTERACTIVE = pb.PRIORITY_INTERACTIVE


@dataclass(frozen=True, slots=True)
class Options:
    """How windows are cut and spans picked. The defaults are those of BERT's run_squad.

    Raises:
        Refusal: a value out of its range.
    """

    #: Candidate spans per question.
    n_best: int = 20
    #: Longest answer in tokens.
    max_answer_length: int = 30
    #: Tokens from the start of one window to the start of the next.
    doc_stride: int = 128
    #: Tokens of the question that are kept.
    max_query_length: int = 64

    def __post_init__(self) -> None:
        for name, limit in _OPTION_LIMITS.items():
            value = getattr(self, name)
            if not 1 <= value <= limit:
                raise Refusal.invalid(
                    f"options.{name}", "out of range", value=str(value), limit=f"1 to {limit}"
                )


_OPTION_LIMITS = {
    "n_best": limits.MAX_N_BEST,
    "max_answer_length": limits.MAX_ANSWER_LENGTH,
    "doc_stride": limits.MAX_DOC_STRIDE,
    "max_query_length": limits.MAX_QUERY_LENGTH,
}

_DEFAULTS = Options()


@dataclass(frozen=True, slots=True)
class Question:
    """A question; `id` is any text and comes back with the answer.

    Raises:
        Refusal: the id is empty or too long, or a text is not Unicode text.
    """

    id: str
    text: str

    def __post_init__(self) -> None:
        size = _utf8_size("questions.id", self.id)
        if not size:
            raise Refusal.invalid("questions.id", "is empty", value="0 bytes")
        if size > limits.MAX_QUESTION_ID_BYTES:
            raise Refusal.too_large("questions.id", size, limits.MAX_QUESTION_ID_BYTES, "bytes")
        _utf8_size("questions.text", self.text)

    def fault(self) -> Refusal | None:
        """Why this question cannot be asked, if so. Its siblings can."""
        if not self.text.strip():
            return Refusal.invalid("questions.text", "holds nothing but white space", value="0 words")
        if len(self.text) > limits.MAX_QUESTION_CHARS:
            return Refusal.too_large(
                "questions.text", len(self.text), limits.MAX_QUESTION_CHARS, "characters"
            )
        size = _utf8_size("questions.text", self.text)
        if size > limits.MAX_QUESTION_BYTES:
            return Refusal.too_large("questions.text", size, limits.MAX_QUESTION_BYTES, "bytes")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One context with its questions, every limit of `limits` kept.

    Raises:
        Refusal: a field is malformed or over its limit; it names the field, value and limit.
    """

    id: str
    context: str
    questions: tuple[Question, ...]
    run_id: str = ""
    tenant: str = ""
    options: Options = field(default=_DEFAULTS)
    #: Milliseconds from arrival; None for no deadline.
    timeout_ms: int | None = None
    priority: Priority = Priority.BULK
    #: Times this task was handed to a worker, this time included.
    attempt: int = 1

    def __post_init__(self) -> None:
        _check_id("id", self.id)
        for name in ("run_id", "tenant"):
            if getattr(self, name):
                _check_id(name, getattr(self, name))
        _check_context(self.context)
        _check_questions(self.questions)
        if self.timeout_ms is not None and not 1 <= self.timeout_ms <= limits.MAX_TIMEOUT_MS:
            raise Refusal.invalid(
                "timeout_ms",
                "out of range",
                value=str(self.timeout_ms),
                limit=f"1 to {limits.MAX_TIMEOUT_MS}",
            )

    def to_proto(self) -> pb.Task:
        message = pb.Task(
            id=self.id,
            run_id=self.run_id,
            tenant=self.tenant,
            context=self.context,
            timeout_ms=self.timeout_ms,
            priority=pb.Priority.ValueType(int(self.priority)),
            attempt=self.attempt,
        )
        for question in self.questions:
            message.questions.add(id=question.id, text=question.text)
        if self.options != _DEFAULTS:
            for name in _OPTION_LIMITS:
                setattr(message.options, name, getattr(self.options, name))
        return message

    def to_bytes(self) -> bytes:
        """The serialised `spanserve.v1.Task`."""
        return self.to_proto().SerializeToString()

    @classmethod
    def from_bytes(cls, data: bytes) -> Task:
        """Parse and check a serialised `spanserve.v1.Task`.

        Raises:
            Refusal: not a Task, invalid UTF-8, or a field outside its limits.
        """
        if len(data) > limits.MAX_TASK_BYTES:
            raise Refusal.too_large("task", len(data), limits.MAX_TASK_BYTES, "bytes")
        try:
            return cls.from_proto(pb.Task.FromString(data))
        except DecodeError:
            raise Refusal.invalid("task", "not a Task message, or a text in it is not UTF-8") from None

    @classmethod
    def from_proto(cls, message: pb.Task) -> Task:
        """Check a parsed `spanserve.v1.Task`."""
        try:
            priority = Priority(message.priority) if message.priority else Priority.BULK
        except ValueError:
            raise Refusal.invalid("priority", "not a known class", value=str(message.priority)) from None
        options = _DEFAULTS
        if message.HasField("options"):
            options = Options(**{field.name: value for field, value in message.options.ListFields()})
        _check_count(message.questions)  # before any is made: a message may hold a hundred thousand
        return cls(
            id=message.id,
            run_id=message.run_id,
            tenant=message.tenant,
            context=message.context,
            questions=tuple(Question(q.id, q.text) for q in message.questions),
            options=options,
            timeout_ms=message.timeout_ms if message.HasField("timeout_ms") else None,
            priority=priority,
            attempt=min(max(1, message.attempt), limits.MAX_ATTEMPTS),
        )


def _check_id(name: str, value: str) -> None:
    if not _ID.fullmatch(_text(name, value)):
        raise Refusal.invalid(
            name, "does not match its pattern", value=f"{len(value)} characters", limit=limits.ID_PATTERN
        )


def _check_context(context: str) -> None:
    size = _utf8_size("context", context)
    if size > limits.MAX_CONTEXT_BYTES:
        raise Refusal.too_large("context", size, limits.MAX_CONTEXT_BYTES, "bytes")
    if not context.strip():
        raise Refusal.invalid("context", "holds nothing but white space", value="0 words")


def _check_questions(questions: tuple[Question, ...]) -> None:
    if not questions:
        raise Refusal.invalid("questions", "is empty", value="0 questions")
    _check_count(questions)
    if len({question.id for question in questions}) != len(questions):
        raise Refusal.invalid("questions", "ids are not unique within the task")


def _check_count(questions: Sized) -> None:
    if len(questions) > limits.MAX_QUESTIONS:
        raise Refusal.too_large("questions", len(questions), limits.MAX_QUESTIONS, "questions")


def _text(name: str, value: object) -> str:
    """The value, which is a text; a caller in a program without types may give something else."""
    if not isinstance(value, str):
        raise Refusal.invalid(name, "is not text", value=type(value).__name__, limit="str")
    return value


def _utf8_size(name: str, value: str) -> int:
    """Bytes of `value` in UTF-8."""
    if _text(name, value).isascii():
        return len(value)
    try:
        return len(value.encode())
    except UnicodeEncodeError as error:
        raise Refusal.invalid(
            name, "is not text: it holds half of a surrogate pair", value=f"code point {error.start}"
        ) from None
