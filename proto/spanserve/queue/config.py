"""Settings that all users of a queue share, kept in Redis."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import Any

from redis.asyncio import Redis

from spanserve.contract import Refusal
from spanserve.queue.calls import Call, evaluate, load_scripts
from spanserve.queue.connection import guarded
from spanserve.queue.errors import NoQueue, QueueError
from spanserve.queue.keys import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConfig:
    """Limits and times of a queue. The worker that makes the queue sets them; later ones find them.

    Raises:
        Refusal: a value out of its range.
    """

    #: How long a worker may keep a task without a sign of life.
    lease_ms: int = 30_000
    #: Tasks in the queue, waiting and leased, at which producers are told BUSY.
    max_tasks: int = 100_000
    #: Bytes of their serialised tasks.
    max_bytes: int = 1 << 30
    #: Tasks that one tenant may have in the queue; 0 for no limit.
    max_tenant_tasks: int = 0
    #: How long a result can be fetched, from the last end of its run.
    result_ttl_ms: int = 24 * 3600 * 1000

    def __post_init__(self) -> None:
        lowest = {"max_tenant_tasks": 0, "lease_ms": 100}
        for field in fields(self):
            value = getattr(self, field.name)
            if value < lowest.get(field.name, 1):
                limit = f"at least {lowest.get(field.name, 1)}"
                raise Refusal.invalid(field.name, "out of range", value=str(value), limit=limit)

    @property
    def lease_s(self) -> float:
        return self.lease_ms / 1000

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))

    @classmethod
    def parse(cls, values: list[Any]) -> QueueConfig:
        return cls(**{name: int(value) for name, value in zip(cls.names(), values, strict=True)})


async def provision(redis: Redis, keys: Keys, config: QueueConfig) -> QueueConfig:
    """Make the queue if it is not there; returns the settings in force.

    Raises:
        QueueError: Redis would throw jobs away when its memory is full; or see `guarded`.
    """
    memory = await guarded(lambda: redis.info("memory"))
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise QueueError(
            f"maxmemory-policy of Redis is {policy}: it would evict jobs; set it to noeviction "
            "(redis-cli CONFIG SET maxmemory-policy noeviction)"
        )
    await load_scripts(redis)  # those of producers as well, who may not
    return QueueConfig.parse(
        await evaluate(redis, Call("provision", (keys.config, *keys.streams), astuple(config)))
    )


async def read_config(redis: Redis, keys: Keys) -> QueueConfig:
    """The settings of a queue.

    Raises:
        NoQueue: there is none of this name.
    """
    values = await guarded(lambda: redis.hmget(keys.config, list(QueueConfig.names())))
    if None in values:
        raise NoQueue(f"there is no queue {keys.name}: a worker makes it when it starts")
    return QueueConfig.parse(values)


async def configure(redis: Redis, keys: Keys, **changes: int) -> QueueConfig:
    """Change settings of a queue; workers take them up within seconds.

    Raises:
        NoQueue: there is none of this name.
        QueueError: a shorter lease while workers are seen: they would take each other's tasks before all of
            them know.
        Refusal: a value out of its range.
    """
    current = await read_config(redis, keys)
    merged = {name: getattr(current, name) for name in QueueConfig.names()} | changes
    changed = QueueConfig(**merged)
    if changed.lease_ms < current.lease_ms and await _workers_seen(redis, keys, 3 * current.lease_ms):
        raise QueueError(
            f"the lease of queue {keys.name} is {current.lease_s:g} s: a shorter one ({changed.lease_s:g} s) can "
            "only be set while no worker is seen"
        )
    if changes:
        await guarded(
            lambda: redis.hset(keys.config, items=[part for pair in changes.items() for part in pair])
        )
    return changed


async def _workers_seen(redis: Redis, keys: Keys, within_ms: int) -> int:
    """How many workers have shown themselves within so many milliseconds."""
    seconds, micros = await guarded(redis.time)
    since = seconds * 1000 + micros // 1000 - within_ms
    return int(await guarded(lambda: redis.zcount(keys.workers, since, "+inf")))
