"""Connections at a time: what asks for nothing makes room, and nobody has all that are served."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.responses import PlainTextResponse, Response

from spanserve.doors.access import Access
from spanserve.doors.http.operation import Call, Operation
from spanserve.doors.http.server import Server
from spanserve.doors.listener import Listener
from tests.kit.http import connected, get
from tests.kit.waiting import eventually

MOST = 4


@asynccontextmanager
async def served(go_on: asyncio.Event) -> AsyncIterator[Server]:
    """`/metrics` takes its time, `/livez` none."""

    async def slow(call: Call) -> Response:
        await go_on.wait()
        return PlainTextResponse("slow")

    async def fast(call: Call) -> Response:
        return PlainTextResponse("fast")

    operations = [Operation(path="/metrics", handle=slow), Operation(path="/livez", handle=fast)]
    server = Server(Listener(address="127.0.0.1:0"), Access(), operations, most=MOST)
    await server.start()
    try:
        yield server
    finally:
        go_on.set()
        await server.close()


def busy(server: Server) -> int:
    return sum(connection.busy for connection in server.connections)


async def test_idle_ones_go() -> None:
    """A new connection takes the place of the oldest that asks for nothing, and of none that is served."""
    async with served(go_on := asyncio.Event()) as server, contextlib.AsyncExitStack() as stack:
        asked = [asyncio.create_task(get(server.address, "/metrics")) for _ in range(MOST - 2)]
        await eventually(lambda: busy(server) == MOST - 2)
        idle = [await stack.enter_async_context(connected(server.address)) for _ in range(MOST)]
        assert (200, "fast") == await get(server.address, "/livez")
        gone = await asyncio.gather(idle[0][0].read(), return_exceptions=True)
        assert gone[0] == b"" or isinstance(gone[0], OSError)
        go_on.set()
        assert [(200, "slow")] * (MOST - 2) == await asyncio.gather(*asked)


async def test_all_are_served() -> None:
    """Where every connection is in the middle of a request a new one has no place."""
    async with served(go_on := asyncio.Event()) as server:
        asked = [asyncio.create_task(get(server.address, "/metrics")) for _ in range(MOST)]
        await eventually(lambda: busy(server) == MOST)
        with pytest.raises(OSError):  # noqa: PT011 - reset, or ended
            await get(server.address, "/livez")
        go_on.set()
        assert [(200, "slow")] * MOST == await asyncio.gather(*asked)


async def test_one_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """One caller has a part of them at most; what is open to all is answered beside."""
    monkeypatch.setattr("spanserve.doors.http.app.MAX_BUSY_OF_IDENTITY", 2)
    async with served(go_on := asyncio.Event()) as server:
        asked = [asyncio.create_task(get(server.address, "/metrics")) for _ in range(2)]
        await eventually(lambda: busy(server) == 2)
        assert 429 == (await get(server.address, "/metrics"))[0]
        assert (200, "fast") == await get(server.address, "/livez")
        go_on.set()
        assert [(200, "slow")] * 2 == await asyncio.gather(*asked)
