"""The contract as JSON: what stands in bodies, and in the OpenAPI document. Limits are those of `contract.limits`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from spanserve import contract
from spanserve.contract import limits
from spanserve.contract.error_json import error_to_json
from spanserve.contract.errors import ErrorCode, Refusal
from spanserve.doors.http.operation import AS_WHOLE, Model
from spanserve.doors.http.problem import CODES

_DEFAULTS = contract.Options()
_Id = Annotated[str, Field(pattern=f"^{limits.ID_PATTERN}$")]
#: A character that is none of Python's white space; in the regular expressions of JSON Schema \s is less.
_NOT_BLANK = r"[^\s\x1c-\x1f\x85]"


class Question(Model):
    """A question with an id, which comes back with its answer."""

    id: str = Field(min_length=1, max_length=limits.MAX_QUESTION_ID_BYTES)
    """At most 256 bytes of UTF-8, unique in the task."""
    text: str
    """At most 512 characters and 2 KiB of UTF-8; one that is longer or blank fails alone, not its task."""


class Options(Model):
    """How windows are cut and spans picked. The defaults are those of BERT's run_squad."""

    n_best: Annotated[int, Field(ge=1, le=limits.MAX_N_BEST), AS_WHOLE] = _DEFAULTS.n_best
    """Candidate spans per question."""
    max_answer_length: Annotated[int, Field(ge=1, le=limits.MAX_ANSWER_LENGTH), AS_WHOLE] = (
        _DEFAULTS.max_answer_length
    )
    """Longest answer in tokens."""
    doc_stride: Annotated[int, Field(ge=1, le=limits.MAX_DOC_STRIDE), AS_WHOLE] = _DEFAULTS.doc_stride
    """Tokens from the start of one window to the start of the next."""
    max_query_length: Annotated[int, Field(ge=1, le=limits.MAX_QUERY_LENGTH), AS_WHOLE] = (
        _DEFAULTS.max_query_length
    )
    """Tokens of the question that are kept."""


class Task(Model):
    """One context and the questions about it."""

    context: str = Field(max_length=limits.MAX_CONTEXT_BYTES, json_schema_extra={"pattern": _NOT_BLANK})
    """At most 48 KiB of UTF-8, not blank."""
    questions: list[Question | str] = Field(min_length=1, max_length=limits.MAX_QUESTIONS)
    """A text alone gets its position as its id: 0, 1, ..."""
    id: _Id | None = None
    """Comes back with the result. Default: the worker's count of tasks."""
    tenant: _Id | None = None
    """Whose task it is; default: the caller's first."""
    options: Options = Field(default_factory=Options.model_construct)
    timeout_ms: Annotated[int, Field(ge=1, le=limits.MAX_TIMEOUT_MS), AS_WHOLE] | None = None
    """Milliseconds from arrival. Default: 30,000 for one task, none for each of many."""
    priority: Literal["bulk", "interactive"] = "bulk"
    """interactive: goes into the next batch, full or not."""

    def to_task(self, task_id: str, timeout_ms: int | None) -> contract.Task:
        """The task.

        Args:
            task_id, timeout_ms: where it says none.

        Raises:
            Refusal: it is over a limit that JSON Schema does not know, such as bytes.
        """
        task = contract.Task(
            id=self.id or task_id,
            tenant=self.tenant or "",
            context=self.context,
            questions=tuple(
                contract.Question(str(index), entry)
                if isinstance(entry, str)
                else contract.Question(entry.id, entry.text)
                for index, entry in enumerate(self.questions)
            ),
            options=contract.Options(**self.options.model_dump()),
            timeout_ms=self.timeout_ms or timeout_ms,
            priority=contract.Priority[self.priority.upper()],
        )
        size = task.to_proto().ByteSize()
        if size > limits.MAX_TASK_BYTES:
            raise Refusal.too_large("task", size, limits.MAX_TASK_BYTES, "bytes")
        return task


class Error(Model):
    """Why something was refused. What does not apply is left out."""

    code: Literal[tuple(sorted({*(code.name for code in ErrorCode), *CODES.values()}))]  # type: ignore[valid-type]
    message: str
    field: str | None = None
    """Where it is: `questions.3.id`, `options.n_best`, `Content-Type`."""
    value: str | None = None
    """What was found, such as a count; never the input itself."""
    limit: str | None = None
    retry_after_ms: int | None = None
    """When to try again, if that may help."""


class Span(Model):
    """A stretch of the context: characters `start` to `end`, counted in Unicode code points, the end not included."""

    text: str
    start: int
    end: int
    score: float
    """Start logit and end logit."""
    probability: float
    """Among the candidates."""


class Answer(Model):
    """The answer to a question, as a span of the context."""

    id: str
    text: str
    start: int
    """In code points of the context."""
    end: int
    """Not included."""
    score: float
    """Start logit and end logit."""
    probability: float
    """Among the candidates."""
    no_answer_score: float
    """On the scale of `score`; if it is higher, no answer is the more likely one."""
    windows: int
    """Pieces into which the context was cut."""
    question_truncated: bool
    """Whether the question was cut to `max_query_length` tokens."""
    n_best: list[Span]
    """Candidates, best first; the first is the answer."""


class RefusedQuestion(Model):
    """A question that has no answer; the others of its task may have."""

    id: str
    error: Error


class Timing(Model):
    """Microseconds in each stage; of windows side by side the longest counts."""

    queue_us: int
    tokenise_us: int
    wait_us: int
    device_us: int
    decode_us: int
    total_us: int
    """From arrival to the result."""


class Result(Model):
    """What became of a task; its questions in their order."""

    id: str
    questions: list[Answer | RefusedQuestion]
    timing: Timing
    worker: str
    model_digest: str


class ResultLine(Result):
    """The result of the task in a line."""

    line: int
    """Which line, from 1 on."""


class ErrorLine(Model):
    """A line that did not become a result; the others are not concerned."""

    line: int
    """Which line, from 1 on; the last error may be about all lines that were not read."""
    id: str | None = None
    error: Error


def result_to_json(result: contract.TaskResult, context: str) -> dict[str, Any]:
    """A result as `Result` says."""
    timing = result.timing
    return {
        "id": result.id,
        "questions": [_question(question, context) for question in result.questions],
        "timing": {name: getattr(timing, name) for name in Timing.model_fields},
        "worker": result.worker,
        "model_digest": result.model_digest,
    }


def _question(question: contract.QuestionResult, context: str) -> dict[str, Any]:
    if question.answer is None:
        assert question.error is not None
        return {"id": question.id, "error": error_to_json(question.error)}
    return {"id": question.id, **_answer(question.answer, context)}


def _answer(answer: contract.Answer, context: str) -> dict[str, Any]:
    best, found = answer.best, answer.n_best
    columns = zip(found.starts, found.ends, found.scores, found.probabilities, strict=True)
    return {
        "text": best.text,
        "start": best.start,
        "end": best.end,
        "score": best.score,
        "probability": answer.probability,
        "no_answer_score": answer.no_answer_score,
        "windows": answer.windows,
        "question_truncated": answer.question_truncated,
        "n_best": [
            {"text": context[start:end], "start": start, "end": end, "score": score, "probability": share}
            for start, end, score, share in columns
        ],
    }
