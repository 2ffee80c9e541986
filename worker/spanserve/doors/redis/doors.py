"""Several queues of one worker: a door each, so that each has its own connections, leases and breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from spanserve.doors.redis.door import RedisDoor


class RedisDoors:
    """Doors that are opened and closed together.

    What one queue does to its door concerns no other; their callers share the worker by the weights of their queues.
    """

    def __init__(self, doors: Sequence[RedisDoor]) -> None:
        self.doors = tuple(doors)

    async def check(self) -> None:
        """See `Door.check`."""
        for door in self.doors:
            await door.check()

    def start(self) -> None:
        """See `Door.start`."""
        for door in self.doors:
            door.start()

    def give_back(self) -> None:
        """See `Door.give_back`."""
        for door in self.doors:
            door.give_back()

    async def drain(self) -> None:
        """See `Door.drain`."""
        await asyncio.gather(*(door.drain() for door in self.doors))

    async def close(self, reason: str) -> None:
        """See `Door.close`."""
        await asyncio.gather(*(door.close(reason) for door in self.doors))
