"""What became of every question of a measurement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from spanserve.client.load.level import Kind, Level

#: What a question came to that had no end when the measurement was broken off.
UNFINISHED = "unfinished"


class Samples:
    """Collects questions that are due within a span of time, and answers that come within it.

    Args:
        begin, end: of the span; seconds of any clock.
    """

    def __init__(self, begin: float, end: float, processor_s: Callable[[], float]) -> None:
        self.begin, self.end = begin, end
        #: Answers so far, and questions without an end; those of the time of warming up included.
        self.answers = self.under_way = 0
        self._processor_s = processor_s
        self._began_processor_s: float | None = None
        self._used_s = 0.0
        self._asked = self._open = self._inside = 0
        self._latencies: list[float] = []
        self._errors: Counter[str] = Counter()

    def asked(self, due: float) -> None:
        """A question goes out."""
        self.under_way += 1
        if self._counts(due):
            self._asked += 1
            self._open += 1
        self._watch(due)

    def ended(self, due: float, now: float, error: str = "") -> None:
        """A question that was due then has its answer, or an error."""
        self._watch(now)
        self.under_way -= 1
        self.answers += not error
        self._inside += not error and self._counts(now)
        if not self._counts(due):
            return
        self._open -= 1
        if error:
            self._errors[error] += 1
        else:
            self._latencies.append(now - due)

    def level(self, kind: Kind, load: float, now: float) -> Level | None:
        """What was measured up to now; None if that was nothing yet."""
        self._watch(now)
        seconds = min(now, self.end) - self.begin
        if seconds <= 0 or not self._asked:
            return None
        errors = self._errors + Counter({UNFINISHED: self._open} if self._open else {})
        return Level(
            kind=kind,
            load=load,
            seconds=seconds,
            asked=self._asked,
            rate=self._inside / seconds,
            latencies=tuple(sorted(self._latencies)),
            errors=errors,
            client_cores=self._used_s / seconds,
        )

    def _counts(self, when: float) -> bool:
        return self.begin <= when < self.end

    def _watch(self, now: float) -> None:
        """See how much processor time this process has used within the span."""
        if now >= self.begin and self._began_processor_s is None:
            self._began_processor_s = self._processor_s()
        elif self._began_processor_s is not None and now < self.end:
            self._used_s = self._processor_s() - self._began_processor_s
