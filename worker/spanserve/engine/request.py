"""A task on its way through the worker: the request, its questions, and their rows in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any, Generic, TypeVar

from spanserve.contract import ErrorCode, Refusal, Timing
from spanserve.contract.limits import MAX_ATTEMPTS, MAX_DEATHS
from spanserve.contract.trace import TraceContext
from spanserve.engine.caller import ANYONE, Caller
from spanserve.engine.origin import UNKNOWN, Origin
from spanserve.engine.witness import Witness
from spanserve.engine.work import Encoded, Window

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Request(Generic[T]):
    """A task in progress. Times are seconds of the worker's monotonic clock.

    Args:
        count: questions in it.
        on_end: called exactly once, when every question has ended.
    """

    task: T
    count: InitVar[int]
    on_end: Callable[[Request[T]], None]
    arrived: float
    #: When its timeout_ms passes; None for never.
    deadline: float | None = None
    timeout_ms: int | None = None
    #: Which run this is; of its questions the one that failed most often.
    attempt: int = 1
    #: Whose share it runs on.
    caller: Caller = ANYONE
    #: Windows that are held for it: what was estimated, until it is encoded.
    charge: int = 1
    #: Called with its windows once it is encoded.
    on_encoded: Callable[[int], None] | None = None
    #: Told, outside this process, before it runs alone; None: nothing is.
    witness: Witness | None = None
    #: Where it was before.
    origin: Origin = UNKNOWN
    #: Whether the witness knows that now.
    announced: bool = False
    #: What the pipeline made of the task.
    encoded: Encoded | None = None
    #: Windows it was cut into; 0 until it was.
    windows: int = 0
    #: Set when the result is no longer waited for, or the client withdrew the task.
    cancelled: bool = False
    #: Whether any of its rows has been on the device.
    started: bool = False
    #: While set, rows that come up for a batch are put into `parked` instead.
    paused: bool = False
    parked: list[Row] = field(default_factory=list)
    encode_began: float = 0.0
    encode_ended: float = 0.0
    wait_s: float = 0.0
    device_s: float = 0.0
    decode_s: float = 0.0
    #: When its last question ended; 0.0 before.
    ended_at: float = 0.0
    questions: tuple[QuestionState, ...] = field(init=False)
    _open: int = field(init=False)

    def __post_init__(self, count: int) -> None:
        self.questions = tuple(QuestionState(self, index, self.attempt) for index in range(count))
        self._open = count

    @property
    def ended(self) -> bool:
        return not self._open

    def open(
        self, encoded: Encoded, padded_length: Callable[[int], int], now: float, due: float
    ) -> Iterator[Row]:
        """The task was encoded: returns the rows of all its questions; a question at fault ends.

        Args:
            padded_length: tokens of a window -> tokens it is padded to on its own.
            due: when they must be in a batch.
        """
        self.encoded = encoded
        for question, made in zip(self.questions, encoded.questions, strict=True):
            if made.error is not None:
                question.refuse(made.error)
                continue
            question.open(made.windows)
            self.windows += len(made.windows)
            for part, window in enumerate(made.windows):
                yield Row(question, part, window, padded_length(window.tokens), now, due)

    def begin(self, waited_s: float) -> None:
        """A row of it, which has waited for so long, goes to the device."""
        self.started = True
        self.wait_s = max(self.wait_s, waited_s)

    def resume(self) -> list[Row]:
        """Go on after a pause, with the rows that came up meanwhile."""
        self.paused = False
        rows, self.parked = self.parked, []
        return rows

    def question_ended(self) -> None:
        """One more question has its outcome; the last one ends the request."""
        self._open -= 1
        if not self._open:
            self.on_end(self)

    def let_go(self) -> None:
        """Drop references to what refers to it, now that it has ended: a cycle would wait for the garbage collector,
        and all callers would wait while that looks for cycles."""
        self.questions = ()
        self.on_end = self.on_encoded = _nothing

    @property
    def trace(self) -> TraceContext | None:
        """The trace it belongs to."""
        return self.origin.trace

    def refuse(self, error: Refusal) -> None:
        """Give every question that has no outcome yet the same error."""
        for question in self.questions:
            if not question.ended:
                question.refuse(error)

    def verdict(self, now: float) -> Refusal | None:
        """Why the request must not be computed any more, if so."""
        if self.cancelled:
            return Refusal(ErrorCode.CANCELLED, "the client withdrew the task")
        if self.deadline is not None and now >= self.deadline:
            limit = f"{self.timeout_ms} ms"
            return Refusal(
                ErrorCode.DEADLINE_EXCEEDED, "not computed in time", field="timeout_ms", limit=limit
            )
        return None

    @property
    def timing(self) -> Timing:
        """Where its time went; of a stage that several windows went through at once, the longest time counts."""
        return Timing(
            queue_us=_us(self.encode_began - self.arrived),
            tokenise_us=_us(self.encode_ended - self.encode_began),
            wait_us=_us(self.wait_s),
            device_us=_us(self.device_s),
            decode_us=_us(self.decode_s),
            total_us=_us(self.total_s),
        )

    @property
    def total_s(self) -> float:
        """Seconds from its arrival to the end of its last question."""
        return max(0.0, self.ended_at - self.arrived)


@dataclass(slots=True, eq=False)
class QuestionState:
    """One question of a request, until all its windows are decoded.

    It ends once: with an outcome or with an error.
    """

    request: Request[Any]
    index: int
    #: Which run this is, 1 at first; more after batches died that it was in, and where others say so. The more, the
    #: smaller is its company.
    attempt: int = 1
    #: Batches that died with it in this worker, and how many of them had no other task in them.
    failures: int = 0
    deaths: int = 0
    #: Per window what the pipeline found.
    found: list[Any] = field(default_factory=list)
    #: What the pipeline made of them.
    outcome: Any = None
    error: Refusal | None = None
    ended: bool = False
    #: Which start of the device host its last death was charged for.
    charged: int | None = None
    last_error: str = ""
    _missing: int = -1

    def open(self, windows: Sequence[Window]) -> None:
        """It was cut into these windows."""
        self.found = [None] * len(windows)
        self._missing = len(windows)

    def add(self, part: int, finding: Any) -> bool:
        """Keep what was found in a window. Whether it was the last, of a question that has not ended."""
        self.found[part] = finding
        self._missing -= 1
        return not self._missing and not self.ended

    def settle(self, outcome: Any) -> None:
        """End with an outcome."""
        self.outcome = outcome
        self._end()

    def refuse(self, error: Refusal) -> None:
        """End with an error."""
        self.error = error
        self._end()

    def charge(self, reason: str, host_start: int | None, *, alone: bool) -> None:
        """A batch this question was in has failed.

        Args:
            alone: whether the batch had nothing of other tasks in it, and the device for itself.
            host_start: which start of the host has died, None if none did. Two batches that die with one
                host are one death to a question that was in both.
        """
        if host_start is not None and host_start == self.charged:
            return
        self.charged = host_start
        self.failures += 1
        self.deaths += alone
        self.attempt += 1
        self.request.attempt = max(self.request.attempt, min(self.attempt, MAX_ATTEMPTS))
        self.last_error = reason

    @property
    def blame(self) -> Refusal | None:
        """Why it is given up, if so: by what this worker has seen, whatever anybody says of earlier runs."""
        if self.deaths < MAX_DEATHS:
            return None
        return Refusal(
            ErrorCode.POISON,
            f"given up after {self.failures} runs that failed, {self.deaths} of them alone: "
            f"{self.last_error or 'the device died'}",
            field=f"questions[{self.index}]",
        )

    def _end(self) -> None:
        assert not self.ended, "a question ends once"
        self.ended = True
        self.request.question_ended()


@dataclass(slots=True, eq=False)
class Row:
    """One window of a question, waiting for a batch or in one."""

    question: QuestionState
    #: Which window of the question.
    part: int
    window: Window
    #: Tokens it is padded to on its own.
    length: int
    #: When it entered the backlog.
    since: float
    #: When it must be in a batch, whatever that does to throughput.
    due: float


def _nothing(_: Any) -> None:
    """Is done."""


def _us(seconds: float) -> int:
    return max(0, round(seconds * 1e6))
