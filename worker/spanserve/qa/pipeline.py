"""The question answering pipeline: tasks to windows, logits to answers.

All it knows of the engine is what it is passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from spanserve.bundle.manifest import END_LOGITS, START_LOGITS
from spanserve.contract import Answer, QuestionResult, Refusal, Task, TaskResult, Timing
from spanserve.contract.limits import MAX_WINDOWS_PER_QUESTION, MAX_WINDOWS_PER_TASK
from spanserve.qa.answers import Candidates, Floats, answer, decode
from spanserve.qa.features import EncodedTask, Encoder
from spanserve.qa.windows import Window, window_count

#: Characters of a token, in text of words.
CHARS_PER_TOKEN = 4


class _Request(Protocol):
    """A task in progress."""

    @property
    def task(self) -> Task: ...
    @property
    def encoded(self) -> Any: ...
    @property
    def questions(self) -> Sequence[_Question]: ...
    @property
    def timing(self) -> Timing: ...
    @property
    def attempt(self) -> int: ...


class _Question(Protocol):
    """One of its questions."""

    @property
    def request(self) -> _Request: ...
    @property
    def index(self) -> int: ...
    @property
    def found(self) -> Sequence[Any]: ...
    @property
    def outcome(self) -> Any: ...
    @property
    def error(self) -> Refusal | None: ...


class _Row(Protocol):
    """One of its windows."""

    @property
    def window(self) -> Any: ...
    @property
    def question(self) -> _Question: ...


class QaPipeline:
    """The stages of a `Task`.

    Args:
        encoder: of the bundle that is served.
        worker, model_digest: stated in every result.
    """

    def __init__(self, encoder: Encoder, *, worker: str, model_digest: str) -> None:
        self._encoder = encoder
        self._worker = worker
        self._model_digest = model_digest

    def estimate(self, task: Task) -> int:
        """Windows that a task will be cut into, as far as its sizes show: 1 to MAX_WINDOWS_PER_TASK."""
        options = task.options
        question = max(len(question.text) for question in task.questions) // CHARS_PER_TOKEN + 1
        around = self._encoder.template.special_tokens
        room = max(1, self._encoder.max_seq_length - around - min(question, options.max_query_length))
        each = min(
            window_count(token_estimate(task.context), room, options.doc_stride), MAX_WINDOWS_PER_QUESTION
        )
        return min(len(task.questions) * each, MAX_WINDOWS_PER_TASK)

    def encode(self, task: Task) -> EncodedTask:
        """Cut a task into windows.

        Raises:
            Refusal: its context or its size is at fault; a question at fault carries its error.
        """
        return self._encoder.encode(task)

    def decode(self, outputs: Mapping[str, Floats], rows: Sequence[_Row]) -> list[Candidates]:
        """The candidates of every row from the logits, float32 [B, S] by name."""
        options = [row.question.request.task.options for row in rows]
        windows: list[Window] = [row.window for row in rows]
        return decode(outputs[START_LOGITS], outputs[END_LOGITS], windows, options)

    def answer(self, question: _Question) -> Answer:
        """The answer to a question from the candidates of all its windows.

        Raises:
            Refusal: the device gave logits that are not numbers.
        """
        request = question.request
        encoded: EncodedTask = request.encoded
        return answer(
            request.task.context,
            encoded.context,
            question.found,
            n_best=request.task.options.n_best,
            truncated=encoded.questions[question.index].truncated,
        )

    def finish(self, request: _Request) -> TaskResult:
        """The result of a task whose questions have all ended."""
        task = request.task
        questions = tuple(
            QuestionResult(asked.id, error=state.error)
            if state.error is not None
            else QuestionResult(asked.id, answer=state.outcome)
            for asked, state in zip(task.questions, request.questions, strict=True)
        )
        return TaskResult(
            id=task.id,
            run_id=task.run_id,
            questions=questions,
            timing=request.timing,
            worker=self._worker,
            model_digest=self._model_digest,
            attempt=request.attempt,
        )


def token_estimate(text: str) -> int:
    """Tokens of a text, without tokenising it: words are one at least, and so is most of what is not ASCII."""
    plain = max(len(text) // CHARS_PER_TOKEN, text.count(" ") + 1)
    if text.isascii():
        return plain
    return plain + (len(text.encode(errors="replace")) - len(text)) * 3 // 8
