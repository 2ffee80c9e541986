"""The side that computes: lease entries, keep the leases, end the jobs."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from spanserve.queue.calls import MAX_PIPELINE, Argument, Call, evaluate, evaluate_all
from spanserve.queue.connection import guarded
from spanserve.queue.entry import VERSION, Entry, EntryRef
from spanserve.queue.errors import QueueError
from spanserve.queue.fields import count_of
from spanserve.queue.keys import JobId, Keys
from spanserve.queue.state import GROUP, JobState


class Ended(enum.StrEnum):
    """What became of the end of a job."""

    OK = "ok"
    #: It had ended before; nothing changed.
    DUP = "dup"
    #: The lease had gone to another worker, who decides; nothing changed.
    STALE = "stale"
    #: There is no record of the job; nothing changed.
    ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Claimed:
    """Entries that were leased, and how many were put aside."""

    entries: list[Entry]
    #: Without a job record: now among the dead letters.
    orphans: int = 0
    #: Of jobs that have ended, or have another entry by now: dropped.
    leftovers: int = 0
    #: Pending but deleted from the stream: dropped. Always 0 unless an operator interferes.
    trimmed: int = 0
    #: In a version that this consumer does not know: they wait for one that does.
    foreign: int = 0
    #: Where nothing was there to claim: the last entry of each stream, for `wait`.
    last: tuple[str, ...] = ()


#: More than are ever claimed at a time.
MANY = 1 << 20


@dataclass(frozen=True, slots=True)
class Lease:
    """An entry that is held."""

    number: int
    entry: str
    job: JobId

    @property
    def ref(self) -> EntryRef:
        return EntryRef(self.number, self.entry)


@dataclass(frozen=True, slots=True)
class End:
    """How a job is to end. `reason` and `model` are for the dead letters."""

    lease: Lease
    state: JobState
    blob: bytes
    reason: str = ""
    model: str = ""


class Consumer:
    """Typed calls of one worker, under a name that no other start of a worker ever had.

    Every call may be made again after a `QueueUnavailable`.
    """

    def __init__(self, redis: Redis, keys: Keys, name: str) -> None:
        self._redis: Any = redis  # its types are unions over all its modes
        self.keys = keys
        self.name = name
        #: Where in each stream the next search for expired leases continues.
        self._starts = ["-", "-"]

    async def claim(self, count: int, share: int, suspects: int = MANY) -> Claimed:
        """Lease entries: released ones first, then up to `share` interactive ones, then bulk.

        Args:
            suspects: of these, at most so many that were delivered twice before.
        """
        reply = await evaluate(
            self._redis,
            Call("claim", self.keys.streams, (self.name, count, share, self.keys.tag, suspects, VERSION)),
        )
        last = tuple(entry.decode() for entry in reply[3])
        entries = [Entry.parse(entry) for entry in reply[0]]
        return Claimed(entries, reply[1], reply[2], foreign=reply[4], last=last)

    async def reclaim(self, count: int, suspects: int = MANY) -> Claimed:
        """Lease entries of others whose lease has run out; `suspects` as for `claim`."""
        keys = (*self.keys.streams, self.keys.config)
        arguments: list[Argument] = [self.name, count, self.keys.tag, suspects, VERSION, *self._starts]
        reply = await evaluate(self._redis, Call("reclaim", keys, arguments))
        self._starts = [start.decode() for start in reply[4]]
        entries = [Entry.parse(entry) for entry in reply[0]]
        return Claimed(entries, reply[1], reply[2], trimmed=reply[3], foreign=reply[5])

    async def wait(self, last: Sequence[str], block_ms: int) -> None:
        """Return when there is an entry after the `last` ones, or after a while. Leases nothing."""
        streams = dict(zip(self.keys.streams, last, strict=True))
        await guarded(lambda: self._redis.xread(streams, count=1, block=block_ms))

    async def renew(self, leases: Sequence[Lease]) -> tuple[set[Lease], set[Lease]]:
        """Renew leases; returns those that are lost and those whose job is to be cancelled.

        Raises:
            QueueError: one of the calls failed; any lease may or may not have been renewed.
        """
        by_ref = {lease.ref: lease for lease in leases}
        parts: list[tuple[int, list[Lease]]] = []
        for number in (1, 2):
            own = [lease for lease in leases if lease.number == number]
            parts += [
                (number, own[first : first + MAX_PIPELINE]) for first in range(0, len(own), MAX_PIPELINE)
            ]
        calls = [
            Call(
                "renew",
                (self.keys.stream(number), *(self.keys.job(lease.job) for lease in part)),
                (self.name, *(lease.entry for lease in part)),
            )
            for number, part in parts
        ]
        lost: set[Lease] = set()
        cancelled: set[Lease] = set()
        for (number, _), reply in zip(parts, await evaluate_all(self._redis, calls), strict=True):
            if isinstance(reply, QueueError):
                raise reply
            for found, entries in zip((lost, cancelled), reply, strict=True):
                found.update(by_ref[EntryRef(number, entry.decode())] for entry in entries)
        return lost, cancelled

    async def end(self, ends: Sequence[End]) -> list[Ended | QueueError]:
        """End jobs; the outcome of each, in order."""
        calls = []
        for end in ends:
            keys = self.keys.of_job(end.lease.job)
            if end.state is JobState.DEAD:
                arguments = (self.name, end.lease.entry, end.blob, end.reason, end.model)
                calls.append(Call("dead", keys, arguments))
            else:
                calls.append(Call("finish", keys, (self.name, end.lease.entry, end.state.value, end.blob)))
        replies = await evaluate_all(self._redis, calls)
        return [r if isinstance(r, QueueError) else Ended(r[0].decode()) for r in replies]

    async def release(self, entries: Mapping[EntryRef, int]) -> list[bool | QueueError]:
        """Give entries back at once.

        Args:
            entries: with the deliveries to record; the next worker gets one more.

        Returns:
            For each whether it was still ours to give back.
        """
        calls = [
            Call("release", (self.keys.stream(ref.number),), (self.name, ref.id, deliveries))
            for ref, deliveries in entries.items()
        ]
        return [
            r if isinstance(r, QueueError) else r[0] == b"ok" for r in await evaluate_all(self._redis, calls)
        ]

    async def owned(self) -> dict[EntryRef, int]:
        """Deliveries of all that is leased to this consumer, whether it knows of it or not."""
        found: dict[EntryRef, int] = {}
        for number, stream in enumerate(self.keys.streams, 1):
            pending = await guarded(
                self._redis.xpending_range, stream, GROUP, "-", "+", 100_000, consumername=self.name
            )
            found |= {EntryRef(number, p["message_id"].decode()): p["times_delivered"] for p in pending}
        return found

    async def mark(self, jobs: Sequence[JobId]) -> list[bool | QueueError]:
        """Note that this consumer begins what it may die of; for each whether the job has not ended yet."""
        return await self._note("mark", jobs)

    async def unmark(self, jobs: Sequence[JobId]) -> list[bool | QueueError]:
        """Note that it has survived that; for each whether any worker had begun it."""
        return await self._note("unmark", jobs)

    async def _note(self, script: str, jobs: Sequence[JobId]) -> list[bool | QueueError]:
        calls = [Call(script, (self.keys.job(job),), (self.name,)) for job in jobs]
        return [r if isinstance(r, QueueError) else bool(r) for r in await evaluate_all(self._redis, calls)]

    async def beat(self, facts: Mapping[str, str | int]) -> int:
        """Report that the worker is alive, and its status; returns the lease in force, in milliseconds."""
        keys = (self.keys.workers, self.keys.worker(self.name), self.keys.config, *self.keys.streams)
        flat = [part for pair in facts.items() for part in pair]
        return int(await evaluate(self._redis, Call("beat", keys, (self.name, *flat))))

    async def questions(self) -> int:
        """Questions of all live tasks of the queue, waiting and leased."""
        return count_of(await guarded(lambda: self._redis.hget(self.keys.load, "questions")))

    async def dead_letters(self) -> tuple[int, int, int]:
        """How many dead letters there are, their bytes, and how many were dropped because there were too many."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.xlen(self.keys.dead)
        pipeline.hmget(self.keys.dead_load, "bytes", "dropped")
        length, (bytes_, dropped) = await guarded(pipeline.execute)
        return length, count_of(bytes_), count_of(dropped)

    async def server_time_s(self) -> float:
        """Unix time of the server in seconds: what ids of entries are made from."""
        seconds, microseconds = await guarded(lambda: self._redis.time())
        return float(seconds) + float(microseconds) / 1e6

    async def leave(self) -> None:
        """Take the name out, unless it still holds something."""
        keys = (self.keys.workers, self.keys.worker(self.name), *self.keys.streams)
        await evaluate(self._redis, Call("leave", keys, (self.name,)))
