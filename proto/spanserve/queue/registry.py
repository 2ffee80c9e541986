"""The workers of a queue, by their heartbeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from spanserve.contract import WorkerStatus
from spanserve.queue.connection import guarded
from spanserve.queue.fields import text_of
from spanserve.queue.keys import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """A worker that is in the queue, or was."""

    #: Its consumer name, new for every start.
    consumer: str
    #: Milliseconds since its last beat, by the clock of Redis.
    age_ms: int
    #: What it said then. Empty once it has been silent for three leases.
    facts: Mapping[str, str]

    @property
    def live(self) -> bool:
        """Whether it was heard of within three leases."""
        return bool(self.facts)

    @property
    def status(self) -> WorkerStatus:
        """What of it this version understands."""
        return WorkerStatus.from_fields(self.facts, self.consumer)


async def workers_seen(redis: Redis, keys: Keys) -> list[WorkerSeen]:
    """Workers heard of within the last day, the latest first.

    Raises:
        QueueError: see `guarded`.
    """
    pipeline: Any = redis.pipeline(transaction=False)
    pipeline.time()
    pipeline.zrange(keys.workers, 0, -1, desc=True, withscores=True)
    (seconds, microseconds), found = await guarded(pipeline.execute)
    now_ms = seconds * 1000 + microseconds // 1000
    pipeline = redis.pipeline(transaction=False)
    for name, _ in found:
        pipeline.hgetall(keys.worker("").encode() + name)
    facts = await guarded(pipeline.execute) if found else []
    return [
        WorkerSeen(
            consumer=text_of(name),
            age_ms=max(0, now_ms - int(seen_ms)),
            facts={text_of(key): text_of(value) for key, value in said.items()},
        )
        for (name, seen_ms), said in zip(found, facts, strict=True)
    ]
