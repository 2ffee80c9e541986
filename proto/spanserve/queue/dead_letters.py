"""The dead letters of a queue: tasks that no worker runs again unless they are replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from spanserve.queue.calls import Call, evaluate
from spanserve.queue.config import read_config
from spanserve.queue.connection import guarded
from spanserve.queue.fields import count_of, text_of
from spanserve.queue.keys import JobId, Keys
from spanserve.queue.overview import entry_ms, job_in, server_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A task that was given up."""

    entry: str
    #: None: it came from an entry that names no job, and cannot be replayed.
    job: JobId | None
    reason: str
    #: Consumer name of the worker that gave it up, and the digest of its model.
    worker: str
    model: str
    deliveries: int
    questions: int
    #: Milliseconds since it died.
    age_ms: int


async def read_dead_letters(redis: Redis, keys: Keys, count: int, after: str = "-") -> list[DeadLetter]:
    """Up to `count` of them after the entry `after`, oldest first.

    Raises:
        NoQueue: no queue has this name.
        QueueError: see `guarded`.
    """
    await read_config(redis, keys)
    client: Any = redis
    now_ms = await server_ms(redis)
    first = after if after == "-" else f"({after}"
    letters = await guarded(lambda: client.xrange(keys.dead, first, "+", count))
    return [_letter(entry, fields, now_ms) for entry, fields in letters]


async def purge_dead_letters(redis: Redis, keys: Keys, entries: Sequence[str]) -> int:
    """Delete dead letters for good; returns how many were there."""
    return (
        int(await evaluate(redis, Call("purge", (keys.dead, keys.dead_load), tuple(entries))))
        if entries
        else 0
    )


def _letter(entry: bytes, fields: dict[bytes, bytes], now_ms: int) -> DeadLetter:
    return DeadLetter(
        entry=entry.decode(),
        job=job_in(fields),
        reason=text_of(fields.get(b"reason", b"")),
        worker=text_of(fields.get(b"worker", b"")),
        model=text_of(fields.get(b"model", b"")),
        deliveries=count_of(fields.get(b"deliveries")),
        questions=count_of(fields.get(b"questions")),
        age_ms=max(0, now_ms - entry_ms(entry)),
    )
