"""How long ago something was queued, by the Redis server's clock."""

from __future__ import annotations

from collections.abc import Callable

from spanserve.queue import Consumer


class QueueClock:
    """The server's clock, followed by the worker's own between two looks: an entry's id says when it was queued.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._offset: float | None = None

    async def look(self, consumer: Consumer) -> None:
        """Read the server's clock.

        Raises:
            QueueError: Redis does not say.
        """
        sent = self._clock()
        there = await consumer.server_time_s()
        self._offset = there - (sent + self._clock()) / 2

    def age_s(self, entry: str) -> float | None:
        """Seconds since an entry with this id was queued; None before the first look."""
        if self._offset is None:
            return None
        queued_s = int(entry.partition("-")[0]) / 1000
        return max(0.0, self._clock() + self._offset - queued_s)
