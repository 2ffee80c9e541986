"""The finisher: brings ends and releases to Redis, and does not rest before Redis has them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import structlog

from spanserve.contract.backoff import Backoff
from spanserve.queue import Consumer, End, Ended, Lease, QueueError, QueueFull, QueueUnavailable
from spanserve.queue.calls import MAX_PIPELINE

#: Longest pause between two tries, in seconds.
LONGEST_PAUSE_S = 5.0

log = structlog.get_logger(__name__)


class Finisher:
    """Sends what has ended, many at a time; what could not be sent is sent again.

    Args:
        ended: called with every end that Redis has decided, and how; with None where it refused it for good.
        released: called with every lease that has been given back.
    """

    def __init__(
        self,
        consumer: Consumer,
        *,
        ended: Callable[[End, Ended | None], None],
        released: Callable[[Lease], None],
    ) -> None:
        self._consumer = consumer
        self._ended = ended
        self._released = released
        self._ends: list[End] = []
        self._releases: dict[Lease, int] = {}
        self._something = asyncio.Event()
        #: Set while there is nothing left to send.
        self.idle = asyncio.Event()
        self.idle.set()
        self._backoff = Backoff(random.Random(), LONGEST_PAUSE_S)  # noqa: S311 - jitter, no secret

    def end(self, end: End) -> None:
        """End a job."""
        self._ends.append(end)
        self._wake()

    def release(self, lease: Lease, deliveries: int) -> None:
        """Give a lease back, leaving so many deliveries behind."""
        self._releases[lease] = deliveries
        self._wake()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._something.wait()
            self._something.clear()
            while self._ends or self._releases:
                try:
                    await self._send()
                    self._backoff.reset()
                except QueueUnavailable as error:
                    log.warning("ends not sent", error=str(error), waiting=len(self._ends))
                    await asyncio.sleep(self._backoff.next_s())
            self.idle.set()

    async def _send(self) -> None:
        """Send one round.

        Raises:
            QueueUnavailable: some or all of it is to be sent again.
        """
        failed: QueueError | None = None
        ends = self._ends[:MAX_PIPELINE]
        for end, outcome in zip(ends, await self._consumer.end(ends), strict=True):
            if isinstance(outcome, QueueUnavailable | QueueFull):
                failed = outcome
                continue
            self._ends.remove(end)
            if isinstance(outcome, QueueError):
                log.error("end refused", job=str(end.lease.job), state=end.state, error=str(outcome))
            self._ended(end, None if isinstance(outcome, QueueError) else outcome)
        leases = list(self._releases)[:MAX_PIPELINE]
        replies = await self._consumer.release({lease.place: self._releases[lease] for lease in leases})
        for lease, reply in zip(leases, replies, strict=True):
            if isinstance(reply, QueueUnavailable):
                failed = reply
                continue
            del self._releases[lease]
            self._released(lease)
        if failed is not None:
            raise QueueUnavailable(str(failed))

    def _wake(self) -> None:
        self.idle.clear()
        self._something.set()
