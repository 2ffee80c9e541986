"""Settings that all users of a queue share, kept in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from redis.asyncio import Redis

from spanserve.contract import Refusal
from spanserve.queue.calls import Call, evaluate, load_scripts
from spanserve.queue.connection import guarded
from spanserve.queue.errors import NoQueue, QueueError
from spanserve.queue.keys import Keys

#: Lowest value of a setting, where that is not 1, and highest of all; the scripts have the same.
_LOWEST = {"max_tenant_tasks": 0, "lease_ms": 100}
_HIGHEST = 10**15


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
    #: Dead letters kept, and bytes of their tasks; beyond that the oldest go.
    max_dead_tasks: int = 10_000
    max_dead_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        for field in fields(self):
            value, lowest = getattr(self, field.name), _LOWEST.get(field.name, 1)
            if not lowest <= value <= _HIGHEST:
                limit = f"at least {lowest}" if value < lowest else f"at most {_HIGHEST}"
                raise Refusal.invalid(field.name, "out of range", value=str(value), limit=limit)

    @property
    def lease_s(self) -> float:
        return self.lease_ms / 1000

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))

    @classmethod
    def parse(cls, values: Sequence[Any]) -> QueueConfig:
        """As they stand in Redis; what is not a setting counts as the default."""
        found = {name: _setting(name, value) for name, value in zip(cls.names(), values, strict=True)}
        return cls(**{name: value for name, value in found.items() if value is not None})

    @classmethod
    def strange(cls, values: Sequence[bytes | None]) -> list[str]:
        """Names of fields that are not settings."""
        found = zip(cls.names(), values, strict=True)
        return [name for name, value in found if value is not None and _setting(name, value) is None]


def milliseconds(name: str, seconds: float) -> int:
    """Seconds as a setting has them.

    Raises:
        Refusal: they are no number, or more than any setting may be; names `name`.
    """
    if not abs(seconds) * 1000 <= _HIGHEST:  # NaN is refused as well
        raise Refusal.invalid(
            name, "out of range", value=f"{seconds:g} s", limit=f"at most {_HIGHEST // 1000} s"
        )
    return round(seconds * 1000)


def _setting(name: str, value: bytes | None) -> int | None:
    if not value or not value.isdigit() or len(value) > len(str(_HIGHEST)):
        return None
    number = int(value)
    return number if _LOWEST.get(name, 1) <= number <= _HIGHEST else None


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
        NoQueue: no queue has this name.
    """
    values = await guarded(lambda: redis.hmget(keys.config, list(QueueConfig.names())))
    if all(value is None for value in values):
        raise NoQueue.named(keys.name)
    return QueueConfig.parse(values)


async def configure(redis: Redis, keys: Keys, **changes: int) -> QueueConfig:
    """Change settings of a queue; workers take them up within seconds.

    Raises:
        NoQueue: no queue has this name.
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
    """How many workers have sent a heartbeat within so many milliseconds."""
    seconds, micros = await guarded(redis.time)
    since = seconds * 1000 + micros // 1000 - within_ms
    return int(await guarded(lambda: redis.zcount(keys.workers, since, "+inf")))
