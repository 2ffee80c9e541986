"""The result of a task: per question an answer or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from spanserve.contract.errors import Refusal
from spanserve.contract.task import Task
from spanserve.v1 import task_pb2 as pb


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the context in code points: `context[start:end] == text`."""

    text: str
    start: int
    end: int
    #: Start logit + end logit.
    score: float


@dataclass(frozen=True, slots=True)
class NBest:
    """Candidate spans as columns of equal length, best first; ends are exclusive."""

    starts: Sequence[int]
    ends: Sequence[int]
    scores: Sequence[float]

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The scores as probabilities among the candidates, as in the n-best file of the reference: their softmax."""
        if not self.scores:
            return ()
        highest = max(self.scores)
        weights = [math.exp(score - highest) for score in self.scores]
        total = sum(weights)
        return tuple(weight / total for weight in weights)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model found. `no_answer_score` is on the scale of the span scores."""

    best: Span
    n_best: NBest
    no_answer_score: float
    #: Windows that the question and its context were cut into.
    windows: int = 1
    #: Whether the question was longer than `Options.max_query_length`, and was cut to it.
    question_truncated: bool = False

    @property
    def probability(self) -> float:
        """Of the best span among the candidates; 1 where it is the only one."""
        return self.n_best.probabilities[0] if self.n_best.scores else 1.0


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """The outcome of one question: exactly one of `answer` and `error` is set."""

    id: str
    answer: Answer | None = None
    error: Refusal | None = None

    def __post_init__(self) -> None:
        assert (self.answer is None) != (self.error is None)

    @property
    def found(self) -> Answer:
        """The answer, for code that expects one.

        Raises:
            Refusal: there is none; this says why.
        """
        if self.answer is None:
            assert self.error is not None
            raise self.error
        return self.answer

    @property
    def text(self) -> str:
        """The text of the best span.

        Raises:
            Refusal: the question has no answer; this says why.
        """
        return self.found.best.text


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a task took in each stage at its worker, in microseconds; the longest of its windows counts."""

    queue_us: int = 0
    tokenise_us: int = 0
    wait_us: int = 0
    device_us: int = 0
    decode_us: int = 0
    #: From arrival to the result; 0 from workers that do not report it.
    total_us: int = 0

    @property
    def elapsed_us(self) -> int:
        """From arrival to the result; if it is not stated, the sum of the stages, more than that if they overlapped."""
        stages = self.queue_us + self.tokenise_us + self.wait_us + self.device_us + self.decode_us
        return self.total_us or stages


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """The one terminal outcome of a task; `questions` keep the order of the task."""

    id: str
    questions: tuple[QuestionResult, ...]
    run_id: str = ""
    timing: Timing = field(default_factory=Timing)
    #: Name of the worker, and the digest of the model it served, sha256 in hex.
    worker: str = ""
    model_digest: str = ""
    #: Which run of the task this is the result of, from 1.
    attempt: int = 1

    @classmethod
    def refused(cls, task: Task, error: Refusal, *, worker: str = "", model_digest: str = "") -> TaskResult:
        """The result of a task of which nothing was computed: `error` for each of its questions."""
        return cls(
            id=task.id,
            run_id=task.run_id,
            questions=tuple(QuestionResult(question.id, error=error) for question in task.questions),
            worker=worker,
            model_digest=model_digest,
            attempt=task.attempt,
        )

    @property
    def shared_error(self) -> Refusal | None:
        """The error that all questions share, which is the task's; None where they differ or one has an answer."""
        first = self.questions[0].error if self.questions else None
        return first if all(question.error == first for question in self.questions) else None

    def to_proto(self) -> pb.TaskResult:
        timing = self.timing
        message = pb.TaskResult(
            id=self.id,
            run_id=self.run_id,
            timing=pb.Timing(
                queue_us=timing.queue_us,
                tokenise_us=timing.tokenise_us,
                wait_us=timing.wait_us,
                device_us=timing.device_us,
                decode_us=timing.decode_us,
                total_us=timing.total_us,
            ),
            worker=self.worker,
            model_digest=self.model_digest,
            attempt=self.attempt,
        )
        for question in self.questions:
            _add_question(message, question)
        return message

    def to_bytes(self) -> bytes:
        """The serialised `spanserve.v1.TaskResult`."""
        return self.to_proto().SerializeToString()

    @classmethod
    def from_proto(cls, message: pb.TaskResult) -> TaskResult:
        timing = message.timing
        return cls(
            id=message.id,
            run_id=message.run_id,
            questions=tuple(_question(question) for question in message.questions),
            timing=Timing(
                queue_us=timing.queue_us,
                tokenise_us=timing.tokenise_us,
                wait_us=timing.wait_us,
                device_us=timing.device_us,
                decode_us=timing.decode_us,
                total_us=timing.total_us,
            ),
            worker=message.worker,
            model_digest=message.model_digest,
            attempt=message.attempt,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> TaskResult:
        """Parse a serialised `spanserve.v1.TaskResult`.

        Raises:
            google.protobuf.message.DecodeError: not a TaskResult.
        """
        return cls.from_proto(pb.TaskResult.FromString(data))


def _add_question(message: pb.TaskResult, question: QuestionResult) -> None:
    if question.answer is None:
        assert question.error is not None
        message.questions.add(id=question.id, error=question.error.to_proto())
        return
    answer, best = question.answer, question.answer.best
    message.questions.add(
        id=question.id,
        answer=pb.Answer(
            best=pb.Span(text=best.text, start=best.start, end=best.end, score=best.score),
            n_best=pb.NBest(
                starts=answer.n_best.starts, ends=answer.n_best.ends, scores=answer.n_best.scores
            ),
            no_answer_score=answer.no_answer_score,
            windows=answer.windows,
            question_truncated=answer.question_truncated,
        ),
    )


def _question(message: pb.QuestionResult) -> QuestionResult:
    if message.WhichOneof("outcome") != "answer":
        return QuestionResult(message.id, error=Refusal.from_proto(message.error))
    answer, best = message.answer, message.answer.best
    return QuestionResult(
        message.id,
        answer=Answer(
            best=Span(best.text, best.start, best.end, best.score),
            n_best=NBest(tuple(answer.n_best.starts), tuple(answer.n_best.ends), tuple(answer.n_best.scores)),
            no_answer_score=answer.no_answer_score,
            windows=answer.windows,
            question_truncated=answer.question_truncated,
        ),
    )
