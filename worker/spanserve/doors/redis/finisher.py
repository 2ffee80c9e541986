"""The finisher: brings ends and releases to Redis, and tries until Redis has them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from spanserve.contract.backoff import Backoff
from spanserve.contract.trace import logged
from spanserve.doors.redis.leased import LeasedTask
from spanserve.queue import (
    LONGEST_PAUSE_S,
    Consumer,
    End,
    Ended,
    EntryRef,
    JobId,
    QueueError,
    QueueFull,
    QueueUnavailable,
)
from spanserve.queue.calls import MAX_PIPELINE

#: Seconds for giving back what could not be brought.
ABANDON_S = 1.0

log = structlog.get_logger(__name__)


class Finisher:
    """Sends what has ended, many at a time; what could not be sent is sent again.

    Args:
        ended: called with every end that Redis has decided, and how; with None where it refused it for good.
        released: called with every held task that has been given back.
    """

    def __init__(
        self,
        consumer: Consumer,
        *,
        ended: Callable[[LeasedTask, End, Ended | None], None],
        released: Callable[[LeasedTask], None],
    ) -> None:
        self._consumer = consumer
        self._ended = ended
        self._released = released
        #: Jobs that are begun, with who waits for Redis to know it, and those that were survived; none is in both.
        self._marks: dict[JobId, list[Callable[[bool], None]]] = {}
        self._unmarks: dict[JobId, None] = {}
        self._ends: list[tuple[LeasedTask, End]] = []
        self._releases: dict[EntryRef, tuple[LeasedTask | None, int]] = {}
        self._something = asyncio.Event()
        #: Set while there is nothing left to send.
        self.idle = asyncio.Event()
        self.idle.set()
        self._backoff = Backoff(LONGEST_PAUSE_S)

    def mark(self, job: JobId, known: Callable[[bool], None]) -> None:
        """Note that a job is begun by a worker that may die of it.

        Args:
            known: called when Redis knows it, with whether the job has not ended meanwhile.
        """
        self._unmarks.pop(job, None)
        self._marks.setdefault(job, []).append(known)
        self._wake()

    def unmark(self, job: JobId) -> None:
        """Note that the worker has survived it. One that still waits for the mark learns that it is not wanted."""
        for known in self._marks.pop(job, ()):
            known(False)
        self._unmarks[job] = None
        self._wake()

    def end(self, held: LeasedTask, end: End) -> None:
        """End a job."""
        self._ends.append((held, end))
        self._wake()

    def release(self, ref: EntryRef, deliveries: int, held: LeasedTask | None = None) -> None:
        """Give an entry back, with so many deliveries left."""
        self._releases[ref] = held, deliveries
        self._wake()

    async def abandon(self) -> int:
        """Give back what has ended and could not be brought; returns how many that are. Others compute it again."""
        left, self._ends = self._ends, []
        with contextlib.suppress(QueueError, TimeoutError):
            async with asyncio.timeout(ABANDON_S):
                await self._consumer.release({end.lease.ref: held.deliveries - 1 for held, end in left})
        return len(left)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._something.wait()
            self._something.clear()
            while self._marks or self._unmarks or self._ends or self._releases:
                try:
                    await self._send()
                    self._backoff.reset()
                except Exception as error:  # whatever it is, what has ended must get there
                    expected = isinstance(error, QueueError)
                    log.warning(
                        "ends not sent",
                        error=str(error),
                        waiting=len(self._ends),
                        exc_info=None if expected else error,
                    )
                    await asyncio.sleep(self._backoff.next_s())
            self.idle.set()

    async def _send(self) -> None:
        """Send one round.

        Raises:
            QueueError: some or all of it is to be sent again.
        """
        failed = await self._send_marks() or await self._send_ends() or await self._send_releases()
        if failed is not None:
            raise failed

    async def _send_marks(self) -> QueueError | None:
        """Report what has begun and what was survived; what changes meanwhile goes into the next round."""
        failed: QueueError | None = None
        marks = list(self._marks)[:MAX_PIPELINE]
        for job, reply in zip(marks, await self._consumer.mark(marks), strict=True):
            if isinstance(reply, QueueUnavailable | QueueFull):
                failed = reply
                continue
            for known in self._marks.pop(job, ()):
                known(reply is True)
        unmarks = list(self._unmarks)[:MAX_PIPELINE]
        for job, reply in zip(unmarks, await self._consumer.unmark(unmarks), strict=True):
            if isinstance(reply, QueueUnavailable | QueueFull):
                failed = reply
            elif job not in self._marks:  # else it was begun again meanwhile, and is not to be unmarked
                self._unmarks.pop(job, None)
        return failed

    async def _send_ends(self) -> QueueError | None:
        ends = self._ends[:MAX_PIPELINE]
        failed: QueueError | None = None
        later = []
        outcomes = await self._consumer.end([end for _, end in ends])
        for (held, end), outcome in zip(ends, outcomes, strict=True):
            if isinstance(outcome, QueueUnavailable | QueueFull):
                failed = outcome
                later.append((held, end))
                continue
            if isinstance(outcome, QueueError):
                trace = None if held.request is None else held.request.trace
                log.error(
                    "end refused",
                    job=str(end.lease.job),
                    state=end.state,
                    error=str(outcome),
                    **logged(trace),
                )
            self._ended(held, end, None if isinstance(outcome, QueueError) else outcome)
        self._ends[: len(ends)] = later
        return failed

    async def _send_releases(self) -> QueueError | None:
        releases = dict(list(self._releases.items())[:MAX_PIPELINE])
        failed: QueueError | None = None
        replies = await self._consumer.release({ref: count for ref, (_, count) in releases.items()})
        for (ref, asked), reply in zip(releases.items(), replies, strict=True):
            if isinstance(reply, QueueUnavailable | QueueFull):
                failed = reply
                continue
            if self._releases.get(ref) == asked:
                del self._releases[ref]
            if asked[0] is not None:
                self._released(asked[0])
        return failed

    def _wake(self) -> None:
        self.idle.clear()
        self._something.set()
