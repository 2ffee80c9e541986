"""Which queue the Redis door takes tasks from."""

from __future__ import annotations

from dataclasses import dataclass, field

from spanserve.queue import QueueConfig, RedisSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """Settings of the Redis door."""

    #: Where Redis is.
    redis: RedisSettings
    queue: str = "default"
    #: Of the queue, should there be none yet.
    config: QueueConfig = field(default_factory=QueueConfig)
