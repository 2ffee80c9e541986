"""Pools of connections to Redis that stay closed once they are: a call under way ends, and opens nothing more."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from redis import exceptions
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.sentinel import SentinelConnectionPool

#: Seconds that closing waits for calls under way. They fail at once, unless they are just connecting.
CLOSE_S = 1.0


class Pool(ConnectionPool):
    """A pool whose connections do not outlive it.

    That of redis-py cuts only the connections that exist. A call of `guarded` goes on when its caller has gone, and
    one that was just connecting would be given its connection afterwards, which nobody closes.
    """

    _closed = False
    _returned: asyncio.Event

    async def get_connection(self, *arguments: Any, **named: Any) -> Any:
        """A connection.

        Raises:
            ConnectionError: the pool is closed.
        """
        if self._closed:
            raise exceptions.ConnectionError("this client has closed its connections")
        return await super().get_connection(*arguments, **named)  # type: ignore[no-untyped-call]

    async def release(self, connection: Any) -> None:
        await super().release(connection)
        if self._closed:
            await connection.disconnect()
            if not self._in_use_connections:
                self._returned.set()

    async def aclose(self) -> None:
        """Cut all connections, and wait a little for calls that have them."""
        self._closed, self._returned = True, asyncio.Event()
        await super().aclose()
        if self._in_use_connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._returned.wait(), CLOSE_S)


class FindingPool(Pool, SentinelConnectionPool):
    """One that asks where the primary is; closes those that it asks, too."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()
