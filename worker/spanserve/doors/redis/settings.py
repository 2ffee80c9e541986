"""Which queue the Redis door takes tasks from."""

from __future__ import annotations

from dataclasses import dataclass, field

from spanserve.contract.errors import SettingsError
from spanserve.queue import QueueConfig, RedisSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """Settings of the Redis door."""

    #: Where Redis is.
    redis: RedisSettings
    queue: str = "default"
    #: Of its tasks against those of other queues and callers.
    weight: float = 1.0
    #: Of the queue, should there be none yet.
    config: QueueConfig = field(default_factory=QueueConfig)

    @classmethod
    def parse(cls, text: str, redis: RedisSettings, config: QueueConfig) -> QueueSettings:
        """A queue as people write it: NAME, or NAME=WEIGHT.

        Raises:
            SettingsError: the weight is not one.
        """
        name, given, weight = text.partition("=")
        try:
            number = float(weight) if given else 1.0
        except ValueError:
            number = 0.0
        if not 0.01 <= number <= 100:
            raise SettingsError(f"queue is {text}: a weight is from 0.01 to 100")
        return cls(redis=redis, queue=name, weight=number, config=config)
