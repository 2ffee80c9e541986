"""What a worker has done in the last seconds, for people who watch: an observer like any other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spanserve.engine.batcher import Batch
from spanserve.engine.observer import Observer
from spanserve.engine.request import Request

#: Seconds that are looked back, and tasks and batches that are kept at most: of a busier worker the newest.
WINDOW_S = 10.0
MAX_KEPT = 4096
#: Quantiles of latency, by name.
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class _Ended:
    at: float
    questions: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Sent:
    at: float
    fill: float
    useful: int
    padded: int


@dataclass(frozen=True, slots=True)
class Lately:
    """Figures of the last seconds; None where there was nothing to count.

    Attributes:
        window_s: how far they look back.
        batch_fill: windows in a batch over the most it may hold, 0 to 1, the mean.
        padding: part of the computed tokens that was padding, 0 to 1.
        latency_ms: quantiles of the time from a task's arrival to its result.
    """

    window_s: float
    questions_per_s: float
    tasks_per_s: float
    batches_per_s: float
    batch_fill: float | None
    padding: float | None
    latency_ms: dict[str, float] | None


class Figures(Observer):
    """Keeps what ended and what was sent to the device.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._ended: deque[_Ended] = deque(maxlen=MAX_KEPT)
        self._sent: deque[_Sent] = deque(maxlen=MAX_KEPT)
        self.backlog_windows = 0

    def backlog_changed(self, windows: int) -> None:
        self.backlog_windows = windows

    def batch_formed(self, batch: Batch, max_batch: int) -> None:
        rows = len(batch.rows)
        useful = sum(row.window.tokens for row in batch.rows)
        self._sent.append(_Sent(self._clock(), rows / max_batch, useful, rows * batch.length))

    def request_ended(self, request: Request[Any], result: Any) -> None:
        if not request.cancelled:
            self._ended.append(_Ended(self._clock(), len(request.questions), request.total_s))

    @property
    def up_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._since

    def lately(self) -> Lately:
        """The last seconds."""
        now = self._clock()
        since = max(now - WINDOW_S, self._since)
        if len(self._ended) == MAX_KEPT:
            since = max(since, self._ended[0].at)
        ended = [one for one in self._ended if one.at >= since]
        sent = [one for one in self._sent if one.at >= since]
        window_s = max(now - since, 1e-3)
        computed = sum(one.padded for one in sent)
        return Lately(
            window_s=round(window_s, 3),
            questions_per_s=round(sum(one.questions for one in ended) / window_s, 2),
            tasks_per_s=round(len(ended) / window_s, 2),
            batches_per_s=round(len(sent) / window_s, 2),
            batch_fill=round(sum(one.fill for one in sent) / len(sent), 4) if sent else None,
            padding=round(1 - sum(one.useful for one in sent) / computed, 4) if computed else None,
            latency_ms=_quantiles([one.seconds * 1000 for one in ended]),
        )


def _quantiles(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    values.sort()
    return {name: round(values[round(share * (len(values) - 1))], 3) for name, share in QUANTILES.items()}
