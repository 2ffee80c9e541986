"""The side that has tasks: submit them, learn of their ends, fetch the results."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.contract.limits import MAX_TASK_BYTES
from spanserve.contract.trace import TraceContext
from spanserve.queue.calls import Call, evaluate, evaluate_all
from spanserve.queue.connection import guarded
from spanserve.queue.entry import VERSION, crc_of
from spanserve.queue.errors import NoQueue, QueueError, QueueFull
from spanserve.queue.fields import text_of
from spanserve.queue.keys import CLASSES, JobId, Keys
from spanserve.queue.state import JobState

#: Milliseconds after which a refused producer should try again.
RETRY_AFTER_MS = 500
#: Events read at a time.
EVENTS_READ = 512


class Submitted(enum.StrEnum):
    """What became of a submit."""

    #: It waits now.
    QUEUED = "queued"
    #: It was there already.
    KNOWN = "known"
    #: It was there, but no worker would ever have been given it.
    RESTORED = "restored"
    #: It has ended; its event and result are there.
    ENDED = "ended"
    #: It has ended, and its result is no longer kept.
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Event:
    """The end of a task."""

    cursor: str
    task_id: str
    #: None: in a word that this version does not know.
    state: JobState | None


class Producer:
    """Typed calls of a producer. Every call may be made again after a `QueueUnavailable`."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis: Any = redis  # its types are unions over all its modes
        self.keys = keys

    async def submit(
        self, tasks: Sequence[Task], trace: Callable[[Task], TraceContext | None] = lambda task: None
    ) -> list[Submitted | Refusal | QueueError]:
        """Queue tasks, each at most once; the outcome of each, in order.

        A task is identified by tenant, run and id. A Refusal is RESOURCE_EXHAUSTED with `retry_after_ms` where
        the queue or the tenant has too much, ALREADY_EXISTS where another task has the id, INVALID_ARGUMENT
        where it is too large; a QueueError is NoQueue or what Redis said.

        Args:
            trace: the trace that a task belongs to; it says nothing of what the task is.

        Raises:
            QueueUnavailable: the connection failed; any of them may be queued.
        """
        outcomes: list[Submitted | Refusal | QueueError] = []
        calls: list[Call] = []
        places: list[int] = []
        for place, task in enumerate(tasks):
            data = task.to_bytes()
            if len(data) > MAX_TASK_BYTES:
                outcomes.append(Refusal.too_large("task", len(data), MAX_TASK_BYTES, "bytes"))
                continue
            outcomes.append(Submitted.QUEUED)
            places.append(place)
            timeout = "" if task.timeout_ms is None else task.timeout_ms
            found = trace(task)
            arguments = (
                *(CLASSES[task.priority], data, crc_of(data), len(task.questions), timeout, VERSION),
                "" if found is None else found.text,
            )
            calls.append(Call("submit", self.keys.of_job(JobId.of(task)), arguments))
        for place, reply in zip(places, await evaluate_all(self._redis, calls), strict=True):
            outcomes[place] = self._outcome(reply)
        return outcomes

    def _outcome(self, reply: Any) -> Submitted | Refusal | QueueError:
        if isinstance(reply, QueueFull):
            return busy("maxmemory", "reached", "that of Redis")
        if isinstance(reply, QueueError):
            return reply
        match reply:
            case [b"busy", name, value, limit]:
                return busy(name.decode(), str(value), str(limit))
            case [b"conflict"]:
                message = "another task of the run has this id"
                return Refusal(ErrorCode.ALREADY_EXISTS, message, field="id")
            case [b"missing"]:
                return NoQueue.named(self.keys.name)
            case [b"ended", _, kept]:
                return Submitted.ENDED if kept else Submitted.FORGOTTEN
            case [name, *_]:
                return Submitted(name.decode())
        raise AssertionError(f"not a reply to submit: {reply!r}")

    async def events(
        self, tenant: str, run_id: str, cursor: str = "0", *, block_ms: int | None = None
    ) -> list[Event]:
        """Ends of a run's tasks after a cursor, oldest first; none if there are none (within `block_ms`)."""
        stream = self.keys.events(tenant, run_id)
        found = await guarded(lambda: self._redis.xread({stream: cursor}, count=EVENTS_READ, block=block_ms))
        entries = found[0][1] if found else []
        return [
            Event(id_.decode(), text_of(fields.get(b"id", b"")), _state(fields.get(b"state")))
            for id_, fields in entries
        ]

    async def results(self, tenant: str, run_id: str, task_ids: Sequence[str]) -> dict[str, TaskResult]:
        """Results by task id. One that is missing has ended without, not yet, or too long ago."""
        if not task_ids:
            return {}
        key = self.keys.results(tenant, run_id)
        blobs = await guarded(lambda: self._redis.hmget(key, list(task_ids)))
        return {
            task_id: TaskResult.from_bytes(blob)
            for task_id, blob in zip(task_ids, blobs, strict=True)
            if blob is not None
        }

    async def state(self, job: JobId) -> JobState | None:
        """Where a job stands; None if there is no record of it (any more)."""
        found = await guarded(lambda: self._redis.hget(self.keys.job(job), "state"))
        return _state(found)

    async def cancel(self, jobs: Sequence[JobId], who: str = "client") -> list[str]:
        """Withdraw jobs: `cancelled`, `flagged` (a worker has it and is told), `ended`, or `unknown` each.

        Raises:
            QueueError: Redis refused one of them.
        """
        replies = await evaluate_all(
            self._redis, [Call("cancel", self.keys.of_job(job), (who,)) for job in jobs]
        )
        for reply in replies:
            if isinstance(reply, QueueError):
                raise reply
        return [reply[0].decode() for reply in replies]

    async def replay(self, dead_entry: str, job: JobId) -> str:
        """Queue a dead letter again: `queued`, `ended`, `gone`, or `missing`."""
        reply = await evaluate(self._redis, Call("replay", self.keys.of_job(job), (dead_entry,)))
        return str(reply[0].decode())


def _state(word: bytes | None) -> JobState | None:
    known = {state.value.encode(): state for state in JobState}
    return known.get(word or b"")


def busy(name: str, value: str, limit: str) -> Refusal:
    """The refusal of a queue that is full."""
    return Refusal(
        ErrorCode.RESOURCE_EXHAUSTED,
        "the queue takes no more tasks now",
        field=name,
        value=value,
        limit=limit,
        retry_after_ms=RETRY_AFTER_MS,
    )
