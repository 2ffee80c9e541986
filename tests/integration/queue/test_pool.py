"""Connections do not outlive the pool that made them, whenever it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError

from spanserve.queue.pool import Pool
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import eventually

StartRedis = Callable[..., RedisServer]


class Gated(Connection):
    """Connects when it may."""

    connecting: asyncio.Event
    may: asyncio.Event

    async def _connect(self) -> None:
        self.connecting.set()
        await self.may.wait()
        await super()._connect()  # type: ignore[no-untyped-call]


@pytest.fixture
def gated(start_redis: StartRedis) -> Pool:
    server = start_redis()
    Gated.connecting, Gated.may = asyncio.Event(), asyncio.Event()
    return Pool(connection_class=Gated, host=server.host, port=server.port, protocol=2)


async def test_a_call_that_is_just_connecting(gated: Pool) -> None:
    """Closing waits for it, and cuts what it has opened."""
    redis: Any = Redis.from_pool(gated)
    call = asyncio.create_task(redis.ping())
    await Gated.connecting.wait()
    (connection,) = gated._in_use_connections
    closing = asyncio.create_task(redis.aclose())
    await eventually(lambda: gated._closed)
    Gated.may.set()
    await closing
    await asyncio.gather(call, return_exceptions=True)
    assert not connection.is_connected
    assert not gated._in_use_connections


async def test_a_call_that_does_not_end(gated: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing does not wait for it for long; what it opens later is cut all the same."""
    monkeypatch.setattr("spanserve.queue.pool.CLOSE_S", 0.01)
    redis: Any = Redis.from_pool(gated)
    call = asyncio.create_task(redis.ping())
    await Gated.connecting.wait()
    (connection,) = gated._in_use_connections
    await redis.aclose()
    assert not call.done()
    Gated.may.set()
    await asyncio.gather(call, return_exceptions=True)
    assert not connection.is_connected


async def test_a_call_too_late(gated: Pool) -> None:
    """It is told so, and opens nothing."""
    redis: Any = Redis.from_pool(gated)
    Gated.may.set()
    assert await redis.ping()
    await redis.aclose()
    with pytest.raises(RedisConnectionError, match="has closed"):
        await redis.ping()
    assert not any(one.is_connected for one in gated._available_connections)
