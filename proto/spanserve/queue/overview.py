"""The state of a queue, for its operators. Reads only; nothing here is leased."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from redis import exceptions
from redis.asyncio import Redis

from spanserve.queue.config import QueueConfig, read_config
from spanserve.queue.connection import guarded
from spanserve.queue.errors import NoQueue, QueueError, QueueUnavailable
from spanserve.queue.fields import count_of, text_of
from spanserve.queue.keys import CLASSES, JobId, Keys
from spanserve.queue.registry import WorkerSeen, workers_seen
from spanserve.queue.state import GROUP, OF_VERSION, RELEASED

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How many tasks of one class are where."""

    #: interactive or bulk.
    name: str
    waiting: int
    leased: int
    #: Milliseconds that the oldest waiting task has been in the queue; None without one.
    oldest_ms: int | None
    #: Of those that wait, the ones in versions of the layout that no worker has known: version -> tasks.
    foreign: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A queue at one moment, as nearly as several calls can show."""

    config: QueueConfig
    depths: tuple[Depth, ...]
    #: Bytes and questions of all live tasks.
    bytes: int
    questions: int
    #: Dead letters, their bytes, and those that went because there were too many.
    dead: int
    dead_bytes: int
    dead_dropped: int
    workers: tuple[WorkerSeen, ...]
    #: Bytes that Redis uses, and may use (0: no limit); None where this user may not ask.
    used_memory: int | None
    max_memory: int | None
    #: What was broken by hand, a sentence each.
    troubles: tuple[str, ...] = ()

    @property
    def waiting(self) -> int:
        return sum(depth.waiting for depth in self.depths)

    @property
    def leased(self) -> int:
        return sum(depth.leased for depth in self.depths)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingEntry:
    """An entry that a worker holds, or held when it died."""

    entry: str
    #: interactive or bulk.
    name: str
    #: None: the entry was deleted.
    job: JobId | None
    consumer: str
    #: Milliseconds since the lease began or was last renewed.
    idle_ms: int
    deliveries: int


async def overview(redis: Redis, keys: Keys) -> Overview:
    """How the queue stands.

    Raises:
        NoQueue: no queue has this name.
        QueueError: see `guarded`.
    """
    client: Any = redis
    troubles: list[str] = []

    async def part(key: str, call: Callable[[], Awaitable[_T]], otherwise: _T) -> _T:
        """What can be read of a key; of one that was replaced nothing, which is reported."""
        try:
            return await guarded(call)
        except QueueUnavailable:
            raise
        except QueueError as error:
            if "WRONGTYPE" in str(error):
                troubles.append(f"{key} is not what it should be: it was written by hand")
            elif "no such key" not in str(error):
                raise
            return otherwise

    nothing: list[bytes | None] = [None] * len(QueueConfig.names())
    values = await part(keys.config, lambda: client.hmget(keys.config, list(QueueConfig.names())), nothing)
    if not troubles and values == nothing:
        await read_config(redis, keys)  # which says so
    strange = QueueConfig.strange(values)
    troubles += [f"{name} in {keys.config} is not a setting; the default is used" for name in strange]
    now_ms = await server_ms(redis)
    depths = [
        await part(
            keys.stream(number),
            partial(_depth, client, priority.name.lower(), keys.stream(number), now_ms),
            Depth(name=priority.name.lower(), waiting=0, leased=0, oldest_ms=None),
        )
        for priority, number in CLASSES.items()
    ]
    none: list[bytes | None] = [None, None]
    bytes_, questions = await part(keys.load, lambda: client.hmget(keys.load, "bytes", "questions"), none)
    dead_bytes, dropped = await part(
        keys.dead_load, lambda: client.hmget(keys.dead_load, "bytes", "dropped"), none
    )
    memory = await _memory(client)
    return Overview(
        config=QueueConfig.parse(values),
        depths=tuple(depths),
        bytes=count_of(bytes_),
        questions=count_of(questions),
        dead=await part(keys.dead, lambda: client.xlen(keys.dead), 0),
        dead_bytes=count_of(dead_bytes),
        dead_dropped=count_of(dropped),
        workers=tuple(await part(keys.workers, partial(workers_seen, redis, keys), [])),
        used_memory=memory.get("used_memory"),
        max_memory=memory.get("maxmemory"),
        troubles=tuple(troubles),
    )


async def pending(redis: Redis, keys: Keys, count: int) -> list[PendingEntry]:
    """Up to `count` leased entries of each class, oldest first.

    Raises:
        NoQueue: no queue has this name.
        QueueError: see `guarded`.
    """
    await read_config(redis, keys)
    client: Any = redis
    found = []
    for priority, number in CLASSES.items():
        stream = keys.stream(number)
        # Those given back are pending too, of a consumer that is no worker.
        leases = await guarded(client.xpending_range, stream, GROUP, "-", "+", count)
        aside = RELEASED.encode(), OF_VERSION.encode()
        leases = [lease for lease in leases if not lease["consumer"].startswith(aside)]
        pipeline = client.pipeline(transaction=False)
        for lease in leases:
            pipeline.xrange(stream, lease["message_id"], lease["message_id"])
        for lease, entries in zip(leases, await guarded(pipeline.execute), strict=True):
            found.append(
                PendingEntry(
                    entry=lease["message_id"].decode(),
                    name=priority.name.lower(),
                    job=job_in(entries[0][1]) if entries else None,
                    consumer=text_of(lease["consumer"]),
                    idle_ms=lease["time_since_delivered"],
                    deliveries=lease["times_delivered"],
                )
            )
    return found


async def live_jobs(redis: Redis, keys: Keys, tenant: str, run_id: str) -> list[JobId]:
    """The jobs of a run that have not ended.

    Raises:
        NoQueue: no queue has this name.
        QueueError: see `guarded`.
    """
    await read_config(redis, keys)
    client: Any = redis

    async def scan() -> list[bytes]:
        members = client.zscan_iter(keys.tenant(tenant), match=f"{tenant}/{run_id}/*", count=1000)
        return [member async for member, _ in members]

    # A scan may return a member twice.
    jobs = (text_of(member).split("/") for member in dict.fromkeys(await guarded(scan)))
    return [JobId(*parts) for parts in jobs if len(parts) == 3]


async def server_ms(redis: Redis) -> int:
    """Milliseconds of the clock of the Redis server."""
    seconds, microseconds = await guarded(redis.time)
    return int(seconds) * 1000 + int(microseconds) // 1000


def entry_ms(entry: bytes) -> int:
    """When an entry was added, in milliseconds of the clock of the Redis server."""
    return int(entry.partition(b"-")[0])


def job_in(fields: Mapping[bytes, bytes]) -> JobId | None:
    """The job that an entry names; None where it names none."""
    parts = text_of(fields.get(b"job", b"")).split("/")
    return JobId(*parts) if len(parts) == 3 else None


async def _depth(client: Any, name: str, stream: str, now_ms: int) -> Depth:
    length = await guarded(client.xlen, stream)
    groups = await guarded(client.xinfo_groups, stream)
    if not groups:
        raise NoQueue(f"{stream} has lost its group: a worker makes it when it starts")
    summary = await guarded(client.xpending, stream, GROUP)
    held = {holder["name"]: holder["pending"] for holder in summary["consumers"] or ()}
    released = held.get(RELEASED.encode(), 0)
    foreign = {
        text_of(name).removeprefix(OF_VERSION): count
        for name, count in held.items()
        if name.startswith(OF_VERSION.encode()) and count
    }
    leased = summary["pending"] - released - sum(foreign.values())
    oldest = []
    if released:
        first = await guarded(client.xpending_range, stream, GROUP, "-", "+", 1, RELEASED)
        oldest += [entry_ms(lease["message_id"]) for lease in first]
    after = b"(" + groups[0]["last-delivered-id"]
    oldest += [entry_ms(id_) for id_, _ in await guarded(client.xrange, stream, after, "+", 1)]
    return Depth(
        name=name,
        waiting=max(0, length - leased),
        leased=leased,
        oldest_ms=max(0, now_ms - min(oldest)) if oldest else None,
        foreign=foreign,
    )


async def _memory(client: Any) -> dict[str, int]:
    """Memory of the server; nothing where the user may not ask for it."""

    async def ask() -> dict[str, int]:
        try:
            found: dict[str, int] = await client.info("memory")
        except exceptions.NoPermissionError:
            return {}
        return found

    return await guarded(ask)
