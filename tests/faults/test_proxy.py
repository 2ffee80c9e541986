"""The proxy of the fault rows, before a Redis: what each of its faults does to a connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import TimeoutError as TimedOut

from tests.faults.proxy import Proxy, proxy_to
from tests.kit.redis_server import RedisServer

StartRedis = Callable[..., RedisServer]


@pytest.fixture
def server(start_redis: StartRedis) -> RedisServer:
    return start_redis()


@asynccontextmanager
async def client_of(proxy: Proxy, timeout_s: float = 30.0) -> AsyncIterator[Redis]:
    client = Redis(
        host="127.0.0.1",
        port=proxy.port,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_s,
        single_connection_client=True,
    )
    try:
        yield client
    finally:
        await client.aclose()


async def test_delay(server: RedisServer) -> None:
    """A delay costs every round trip twice its length, and keeps the order of what is pipelined."""
    async with proxy_to(server.address) as proxy, client_of(proxy) as client:
        await client.ping()
        proxy.delay_s, proxy.jitter_s = 0.05, 0.02
        began = asyncio.get_running_loop().time()
        pipe = client.pipeline(transaction=False)
        for number in range(100):
            pipe.incrby("sum", number)
        sums = await pipe.execute()
        assert asyncio.get_running_loop().time() - began >= 0.1
        assert [n * (n + 1) // 2 for n in range(100)] == sums


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "silent"])
async def test_a_reply_that_is_lost(server: RedisServer, cut: bool) -> None:
    """A command whose reply is swallowed has been done; the client hears of a reset, or nothing at all."""
    async with proxy_to(server.address) as proxy, client_of(proxy, timeout_s=0.5) as client:
        swallow = proxy.swallow(b"INCR", cut=cut)
        assert 0 == await client.exists("n")
        with pytest.raises(NotConnected if cut else TimedOut):
            await client.incr("n")
        assert b"1" == await client.get("n")
        assert (0, 1) == (swallow.count, swallow.swallowed)


async def test_black_hole(server: RedisServer) -> None:
    """In a black hole nothing arrives until it closes; then everything does."""
    async with proxy_to(server.address) as proxy, client_of(proxy) as client:
        await client.ping()
        with proxy.black_hole():
            asked = asyncio.ensure_future(client.incr("n"))
            done, _ = await asyncio.wait([asked], timeout=0.1)
            assert set() == done
            assert server.client().get("n") is None
        assert 1 == await asked


async def test_half_open(server: RedisServer) -> None:
    """A half-open connection stays and says nothing, for ever; a new one works."""
    async with proxy_to(server.address) as proxy, client_of(proxy, timeout_s=0.3) as client:
        await client.ping()
        proxy.half_open()
        with pytest.raises(TimedOut):
            await client.incr("n")
        assert 1 == await client.incr("n")


async def test_refusing(server: RedisServer) -> None:
    """A proxy that refuses drops what was connected and takes nobody, until it listens again."""
    async with proxy_to(server.address) as proxy, client_of(proxy) as client:
        await client.ping()
        async with proxy.refusing():
            for _ in range(2):
                with pytest.raises(NotConnected):
                    await client.ping()
        assert await client.ping() is True


async def test_a_target_that_is_gone(server: RedisServer) -> None:
    """A connection through the proxy ends when nobody listens behind it."""
    async with proxy_to(server.address) as proxy, client_of(proxy) as client:
        server.kill()
        with pytest.raises(NotConnected):
            await client.ping()
        server.start()
        assert await client.ping() is True


async def test_resets(server: RedisServer) -> None:
    """At a rate of resets some commands fail, and others go on."""
    async with proxy_to(server.address, random.Random(1)) as proxy, client_of(proxy) as client:
        proxy.reset_rate = 0.1
        failed = 0
        for _ in range(100):
            try:
                await client.ping()
            except NotConnected:
                failed += 1
        assert proxy.resets >= failed > 0
