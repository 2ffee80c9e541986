"""Signs of life: what a worker tells the queue of itself."""

from __future__ import annotations

import socket
from collections.abc import Callable
from importlib.metadata import version

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
        self._rate = 0.0

    def facts(self, *, held_tasks: int) -> dict[str, str | int]:
        """What to say now."""
        engine = self._engine
        now, ended = self._clock(), engine.ended_questions
        if now > self._then:
            self._rate += RATE_WEIGHT * ((ended - self._ended) / (now - self._then) - self._rate)
            self._ended, self._then = ended, now
        return {
            "name": engine.name,
            "host": socket.gethostname(),
            "version": version("spanserve"),
            "state": engine.state.value,
            "device": engine.device.spec.text,
            "model": engine.manifest.name,
            "model_digest": engine.model_digest,
            "precision": engine.manifest.precision,
            "max_seq_length": engine.manifest.max_seq_length,
            "max_batch_size": engine.batcher.max_batch,
            "questions_per_s": f"{self._rate:.1f}",
            "held_tasks": held_tasks,
            "ended_questions": ended,
            "useful_tokens": engine.useful_tokens,
            "padded_tokens": engine.padded_tokens,
            "host_restarts": max(0, engine.device.starts - 1),
        }
