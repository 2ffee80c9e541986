"""A task on its way through the worker: the job, its questions, and their rows in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from spanserve.contract import ErrorCode, QuestionResult, Refusal, Task, TaskResult, Timing
from spanserve.contract.limits import MAX_ATTEMPTS
from spanserve.engine.faults import internal_error
from spanserve.qa import Candidates, EncodedTask, Window, answer


@dataclass(slots=True, eq=False)
class Job:
    """A task in progress. Times are seconds of the worker's monotonic clock.

    `finished` is called exactly once, with a result for every question.
    """

    task: Task
    finished: Callable[[Job, TaskResult], None]
    arrived: float
    worker: str
    model_digest: str
    #: When its timeout_ms passes; None for never.
    deadline: float | None = None
    encoded: EncodedTask | None = None
    #: Set when nobody waits for the result any more, or the client withdrew the task.
    cancelled: bool = False
    encode_began: float = 0.0
    encode_ended: float = 0.0
    wait_s: float = 0.0
    device_s: float = 0.0
    decode_s: float = 0.0
    attempt: int = 1
    #: Whether any of its rows has been on the device.
    started: bool = False
    #: While set, rows that come up for a batch are put into `parked` instead.
    paused: bool = False
    parked: list[Row] = field(default_factory=list)
    _results: dict[int, QuestionResult] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return len(self._results) == len(self.task.questions)

    def settle(self, index: int, result: QuestionResult) -> None:
        """Record the outcome of one question; the last one finishes the job."""
        assert index not in self._results, "a question ends once"
        self._results[index] = result
        if self.ended:
            self.finished(self, self._result())

    def settle_all(self, error: Refusal) -> None:
        """Give every question that has no outcome yet the same error."""
        for index, question in enumerate(self.task.questions):
            if index not in self._results:
                self.settle(index, QuestionResult(question.id, error=error))

    def settled(self, index: int) -> bool:
        return index in self._results

    def verdict(self, now: float) -> Refusal | None:
        """Why the job must not be computed any more, if so."""
        if self.cancelled:
            return Refusal(ErrorCode.CANCELLED, "the client withdrew the task")
        if self.deadline is not None and now >= self.deadline:
            limit = f"{self.task.timeout_ms} ms"
            return Refusal(
                ErrorCode.DEADLINE_EXCEEDED, "not computed in time", field="timeout_ms", limit=limit
            )
        return None

    def _result(self) -> TaskResult:
        timing = Timing(
            queue_us=_us(self.encode_began - self.arrived),
            tokenise_us=_us(self.encode_ended - self.encode_began),
            wait_us=_us(self.wait_s),
            device_us=_us(self.device_s),
            decode_us=_us(self.decode_s),
        )
        return TaskResult(
            id=self.task.id,
            run_id=self.task.run_id,
            questions=tuple(self._results[index] for index in range(len(self.task.questions))),
            timing=timing,
            worker=self.worker,
            model_digest=self.model_digest,
            attempt=self.attempt,
        )


@dataclass(slots=True, eq=False)
class Ask:
    """One question of a job, until all its windows are decoded."""

    job: Job
    index: int
    found: list[Candidates | None]
    #: Which run this is, 1 at first; more after batches died that it was in.
    attempt: int
    #: Which start of the device host its last death was charged for.
    charged: int | None = None
    last_error: str = ""

    @property
    def complete(self) -> bool:
        return all(candidates is not None for candidates in self.found)

    def charge(self, reason: str, host_start: int | None) -> None:
        """A batch this question was in has failed.

        Args:
            host_start: which start of the host has died, None if none did. Two batches that die with one
                host are one death to a question that was in both.
        """
        if host_start is not None and host_start == self.charged:
            return
        self.charged = host_start
        self.attempt += 1
        self.job.attempt = max(self.job.attempt, min(self.attempt, MAX_ATTEMPTS))
        self.last_error = reason

    def answer(self) -> QuestionResult:
        """The result of a complete question."""
        encoded, task = self.job.encoded, self.job.task
        assert encoded is not None
        question = encoded.questions[self.index]
        found = [candidates for candidates in self.found if candidates is not None]
        try:
            answered = answer(
                task.context,
                encoded.context,
                found,
                n_best=task.options.n_best,
                truncated=question.truncated,
            )
        except Refusal as refusal:
            return QuestionResult(question.id, error=refusal)
        except Exception as error:
            return QuestionResult(question.id, error=internal_error("decode", error))
        return QuestionResult(question.id, answer=answered)


@dataclass(slots=True, eq=False)
class Row:
    """One window of a question, waiting for a batch or in one."""

    ask: Ask
    #: Which window of the question.
    part: int
    window: Window
    #: Tokens it is padded to on its own.
    length: int
    #: When it entered the backlog.
    since: float
    #: When it must be in a batch, whatever that does to throughput.
    due: float


def _us(seconds: float) -> int:
    return max(0, round(seconds * 1e6))
