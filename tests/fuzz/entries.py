"""Entries of the queue: whatever a producer wrote into one, it ends, or it is given back.

An input is a byte of flags, one of counts, and four fields, of which the first three end with a line feed: version,
job, trace, task. Flags say what is made right: version, crc, job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from spanserve.contract import Refusal, Task, TaskResult
from spanserve.doors.redis.intake import Intake
from spanserve.doors.redis.leased import LeasedTask, LeasedTasks
from spanserve.queue import End, Entry, EntryRef, JobId, JobState
from spanserve.queue.entry import VERSION, crc_of
from tests.fuzz.target import Try, on_a_rig

RIGHT_VERSION, RIGHT_CRC, RIGHT_JOB, CANCELLED, LATE, TIMED = (1 << bit for bit in range(6))
RIGHT = RIGHT_VERSION | RIGHT_CRC | RIGHT_JOB


class Ends:
    """In the place of the finisher: Redis knows each mark at once, and the end of an entry is what is waited for."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.ends: list[tuple[LeasedTask, End]] = []
        self.releases = 0

    def mark(self, job: JobId, known: Callable[[bool], None]) -> None:
        asyncio.get_running_loop().call_soon(known, True)

    def unmark(self, job: JobId) -> None:
        """Nothing to do."""

    def end(self, held: LeasedTask, end: End) -> None:
        self.ends.append((held, end))
        self.over.set()

    def release(self, ref: EntryRef, deliveries: int, held: LeasedTask | None = None) -> None:
        self.releases += 1
        self.over.set()


def entry(
    task: bytes,
    *,
    flags: int = RIGHT,
    counts: int = 1,
    version: bytes = b"",
    job: bytes = b"",
    trace: bytes = b"",
) -> bytes:
    """The input that is this entry."""
    return bytes([flags, counts]) + b"\n".join((version, job, trace, task))


def reply_of(data: bytes) -> list[Any] | None:
    """What claim.lua returns for it."""
    fields = data[2:].split(b"\n", 3)
    if len(fields) < 4:
        return None
    flags, counts = data[0], data[1]
    version, job, trace, task = fields
    if flags & RIGHT_VERSION:
        version = VERSION.encode()
    crc = crc_of(task).encode() if flags & RIGHT_CRC else trace[:8]
    if flags & RIGHT_JOB:
        try:
            job = str(JobId.of(Task.from_bytes(task))).encode()
        except Refusal:
            job = b"t/r/a"
    if job.count(b"/") != 2:
        return None  # the scripts do not hand such a job out
    remaining = 0 if flags & LATE else 1_000_000 if flags & TIMED else -1
    deliveries, ran = max(1, counts & 15), counts >> 4
    cancelled = int(bool(flags & CANCELLED))
    return [1 + counts % 2, b"1-1", deliveries, remaining, version, job, task, crc, cancelled, ran, trace]


@contextmanager
def target() -> Iterator[Try]:
    """A door's intake for each input."""
    with on_a_rig() as (rig, run):

        async def take(reply: list[Any]) -> None:
            held, ends = LeasedTasks(), Ends()
            stands_in: Any = ends
            intake = Intake(rig.inside, "q", 1.0, held, stands_in, lambda: None, lambda _: None)
            try:
                intake.take([Entry.parse(reply)])
                await ends.over.wait()
                for leased, end in ends.ends:
                    if end.state is not JobState.DEAD or end.blob:
                        TaskResult.from_bytes(end.blob)
                    intake.drop(leased)
                assert len(ends.ends) + ends.releases == 1, "more than one end"
            finally:
                intake.close()

        def attempt(data: bytes) -> None:
            if (reply := reply_of(data)) is not None:
                run(take(reply))

        yield attempt
