"""Connections of one client to one queue."""

from __future__ import annotations

from spanserve.queue import Keys, Producer, RedisSettings, WorkerSeen, read_config, workers_seen
from spanserve.queue.connection import CALL_TIMEOUT_S

#: Milliseconds a read waits for the next event.
BLOCK_MS = 1000


class QueueConnection:
    """A queue as a client uses it; connects when it is used, and again whenever it was cut.

    Args:
        settings: where Redis is, and how to get in.
        queue: name of the queue.
    """

    def __init__(self, settings: RedisSettings, queue: str) -> None:
        self.keys = Keys(queue)
        #: For people: which queue, and where. Without a password.
        self.name = f"queue {queue} at {settings.safe_url}"
        self._calls = settings.connect(keys=self.keys)
        # Reads that wait have connections of their own, which may be silent for longer.
        self._reads = settings.connect(timeout_s=BLOCK_MS / 1000 + CALL_TIMEOUT_S, keys=self.keys)
        self.producer = Producer(self._calls, self.keys)
        #: For events.
        self.listener = Producer(self._reads, self.keys)

    async def workers(self) -> list[WorkerSeen]:
        """Workers of the queue that are alive.

        Raises:
            NoQueue: there is not even a queue.
            QueueError: Redis cannot be asked.
        """
        found = [worker for worker in await workers_seen(self._calls, self.keys) if worker.live]
        if not found:
            await read_config(self._calls, self.keys)
        return found

    async def close(self) -> None:
        """Cut the connections. Calling it again does nothing."""
        await self._reads.aclose()
        await self._calls.aclose()
