"""Tokens to logits: rows that the caller has tokenised, put to the model as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spanserve.bundle import Manifest
from spanserve.bundle.manifest import ATTENTION_MASK, END_LOGITS, INPUT_IDS, START_LOGITS, TOKEN_TYPE_IDS
from spanserve.contract import ErrorCode, Priority, Refusal
from spanserve.qa.answers import Floats
from spanserve.qa.windows import Ints


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LogitsTask:
    """One row of tokens.

    Attributes:
        inputs: int32 [S] by name, those that the model takes.
        timeout_ms, priority, attempt: as of any task.
    """

    inputs: Mapping[str, Ints]
    timeout_ms: int | None = None
    priority: Priority = Priority.BULK
    attempt: int = 1

    @property
    def questions(self) -> tuple[LogitsTask]:
        """The row itself: nothing else is asked."""
        return (self,)


@dataclass(frozen=True, slots=True, eq=False)
class Logits:
    """What the model gave for a row, float32 [S] each."""

    start: Floats
    end: Floats


@dataclass(frozen=True, slots=True, eq=False)
class LogitsResult:
    """The outcome of a task: exactly one of `logits` and `error` is set."""

    logits: Logits | None = None
    error: Refusal | None = None


@dataclass(frozen=True, slots=True, eq=False)
class GivenWindow:
    """A row of a batch that came as tokens: int32 [S] by name."""

    inputs: Mapping[str, Ints]

    @property
    def tokens(self) -> int:
        """Tokens of the row without our padding."""
        return len(self.inputs[INPUT_IDS])

    def write(self, row: int, inputs: Mapping[str, Ints]) -> None:
        """Write it into a row of the inputs of a batch; what follows it stays."""
        for name, values in self.inputs.items():
            inputs[name][row, : len(values)] = values


@dataclass(frozen=True, slots=True, eq=False)
class GivenRow:
    """A task ready for the device, and its one question."""

    windows: tuple[GivenWindow]
    error: None = None

    @property
    def questions(self) -> tuple[GivenRow]:
        """The row itself."""
        return (self,)


class _Question(Protocol):
    @property
    def found(self) -> Sequence[Any]: ...
    @property
    def outcome(self) -> Any: ...
    @property
    def error(self) -> Refusal | None: ...


class _Request(Protocol):
    @property
    def questions(self) -> Sequence[_Question]: ...


class _Row(Protocol):
    @property
    def window(self) -> Any: ...


class LogitsPipeline:
    """The stages of a `LogitsTask` around the model of a manifest."""

    def __init__(self, manifest: Manifest) -> None:
        model = manifest.model
        self._names = {tensor.name for tensor in manifest.inputs}
        self._longest = manifest.max_seq_length
        #: Name -> how many values there are, from 0 on: an MLU driver fails on ids beyond the vocabulary.
        self._values = {
            INPUT_IDS: model.vocab_size,
            ATTENTION_MASK: 2,
            TOKEN_TYPE_IDS: max(1, model.type_vocab_size),
        }

    def estimate(self, task: LogitsTask) -> int:
        """A row is a window."""
        return 1

    def encode(self, task: LogitsTask) -> GivenRow:
        """Check whether the model can take a row.

        Raises:
            Refusal: it is too long, or holds values that the model does not know.
        """
        assert task.inputs.keys() == self._names, "whoever makes tasks knows what the model takes"
        length = len(task.inputs[INPUT_IDS])
        if not 1 <= length <= self._longest:
            raise Refusal.invalid(
                INPUT_IDS, "wrong number of tokens", value=str(length), limit=f"1 to {self._longest}"
            )
        for name, values in task.inputs.items():
            low, high = int(values.min()), int(values.max())
            limit = self._values[name]
            if low < 0 or high >= limit:
                raise Refusal.invalid(
                    name, "out of range", value=str(low if low < 0 else high), limit=f"0 to {limit - 1}"
                )
        mask = task.inputs.get(ATTENTION_MASK)
        if mask is not None and not mask.any():
            raise Refusal.invalid(ATTENTION_MASK, "masks every token", value="0 tokens", limit="at least 1")
        return GivenRow((GivenWindow(task.inputs),))

    def decode(self, outputs: Mapping[str, Floats], rows: Sequence[_Row]) -> list[Logits]:
        """The logits of every row, without those of our padding."""
        start, end = outputs[START_LOGITS], outputs[END_LOGITS]
        lengths = [row.window.tokens for row in rows]
        return [Logits(start[row, :length], end[row, :length]) for row, length in enumerate(lengths)]

    def answer(self, question: _Question) -> Logits:
        """The logits of the only window.

        Raises:
            Refusal: the device gave logits that are not numbers.
        """
        (found,) = question.found
        logits: Logits = found
        if not (np.isfinite(logits.start).all() and np.isfinite(logits.end).all()):
            raise Refusal(ErrorCode.INTERNAL, "the model gave logits that are not finite numbers")
        return logits

    def finish(self, request: _Request) -> LogitsResult:
        """The result of a task that has ended."""
        (question,) = request.questions
        if question.error is not None:
            return LogitsResult(error=question.error)
        return LogitsResult(logits=question.outcome)
