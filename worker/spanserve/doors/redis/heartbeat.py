"""Signs of life: what a worker tells the queue of itself."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

from spanserve.contract import WorkerStatus
from spanserve.doors.status import status_of
from spanserve.engine.average import MovingAverage
from spanserve.engine.engine import Engine

#: Weight of the newest second in the moving average of questions per second.
RATE_WEIGHT = 0.3


class Pulse:
    """Facts about a worker, and its rate over the last seconds.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self._ended, self._then = engine.ended_questions, clock()
        self._rate = MovingAverage(0.0, RATE_WEIGHT)

    def status(self, *, held_tasks: int) -> WorkerStatus:
        """What to say now."""
        now, ended = self._clock(), self._engine.ended_questions
        if now > self._then:
            self._rate.add((ended - self._ended) / (now - self._then))
            self._ended, self._then = ended, now
        return replace(
            status_of(self._engine),
            host=socket.gethostname(),
            questions_per_s=self._rate.value,
            held_tasks=held_tasks,
        )
