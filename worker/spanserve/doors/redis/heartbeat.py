"""Heartbeats: what a worker reports to the queue about itself."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

from spanserve.contract import WorkerStatus
from spanserve.engine.average import MovingAverage

#: Weight of the newest second in the moving average of questions per second.
RATE_WEIGHT = 0.3


class Heartbeat:
    """The status of a worker, and its rate over the last seconds.

    Args:
        status: of the worker now.
        clock: seconds, monotonic.
    """

    def __init__(self, status: Callable[[], WorkerStatus], clock: Callable[[], float]) -> None:
        self._status = status
        self._clock = clock
        self._ended, self._then = status().ended_questions, clock()
        self._rate = MovingAverage(0.0, RATE_WEIGHT)

    def status(self, *, held_tasks: int) -> WorkerStatus:
        """What to say now."""
        status, now = self._status(), self._clock()
        if now > self._then:
            self._rate.add((status.ended_questions - self._ended) / (now - self._then))
            self._ended, self._then = status.ended_questions, now
        return replace(
            status, host=socket.gethostname(), questions_per_s=self._rate.value, held_tasks=held_tasks
        )
