"""Entries of the queue: a task on its way, with the facts about it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

from spanserve.contract import ErrorCode, Refusal, Task
from spanserve.queue.keys import JobId
from spanserve.queue.state import SUSPECT

#: Version of layout.md that this package speaks.
VERSION = "1"


class EntryRef(NamedTuple):
    """Which entry: its class, 1 interactive or 2 bulk, and its id in the stream of that class."""

    number: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry that was claimed, unchecked: `task` raises what is wrong with it."""

    #: 1 interactive, 2 bulk.
    number: int
    id: str
    #: Times it was handed to a worker, this time included.
    deliveries: int
    #: Milliseconds to its deadline, 0 if that has passed, None without one.
    remaining_ms: int | None
    version: str
    job: JobId
    data: bytes
    crc: str
    cancelled: bool
    #: Workers other than this one that began it alone and never said that it ended: they died with it.
    ran: int
    #: The trace it belongs to, in its text form; empty for none.
    trace: str = ""

    @classmethod
    def parse(cls, reply: list[Any]) -> Entry:
        """Read one entry of a reply of claim or reclaim. Whatever a producer wrote into it, it can be read."""
        number, id_, deliveries, remaining, version, job, data, crc, cancelled, ran, trace = reply
        return cls(
            number=number,
            id=id_.decode(),
            deliveries=deliveries,
            remaining_ms=None if remaining < 0 else remaining,
            version=version.decode(errors="replace"),
            job=JobId.parse(job.decode(errors="surrogateescape")),
            data=data,
            crc=crc.decode(errors="replace"),
            cancelled=bool(cancelled),
            ran=ran,
            trace=trace.decode(errors="replace"),
        )

    @property
    def ref(self) -> EntryRef:
        return EntryRef(self.number, self.id)

    @property
    def suspect(self) -> bool:
        """Whether those who had it before may have died of it."""
        return self.deliveries >= SUSPECT or self.ran > 0

    def task(self) -> Task:
        """The task inside.

        Raises:
            Refusal: it is damaged, malformed, or not the task of this job.
        """
        if self.version != VERSION:  # those of other workers wait elsewhere: this is none
            raise Refusal.invalid("v", "is not a version of the layout", value=self.version[:32])
        if self.crc != crc_of(self.data):
            raise Refusal(ErrorCode.INTERNAL, "the entry is damaged", field="crc", value=self.crc)
        task = Task.from_bytes(self.data)
        if JobId.of(task) != self.job:
            raise Refusal.invalid("job", "is not the job of the task inside", value=str(self.job))
        return task


def crc_of(data: bytes) -> str:
    """CRC-32 as 8 hexadecimal digits."""
    return f"{zlib.crc32(data):08x}"
