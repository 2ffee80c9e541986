"""Clients that are slow: each thing that they may take their time for has a limit, and others do not notice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.responses import PlainTextResponse, Response

from spanserve.contract.limits import MAX_JSON_BYTES
from spanserve.doors.access import Access
from spanserve.doors.http.body import lines, read_whole
from spanserve.doors.http.connection import Patience
from spanserve.doors.http.operation import Call, Operation
from spanserve.doors.http.server import Server
from spanserve.doors.listener import Listener
from tests.kit.http import connected, get, request
from tests.kit.processes import PATIENCE_S
from tests.kit.waiting import eventually

#: Seconds that stand for long, and for longer than any test.
SOON_S, NEVER_S = 0.2, 600.0
HEAD = (
    b"POST /v1/answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n"
)


async def large(call: Call) -> Response:
    """More than the buffers of both ends together."""
    return PlainTextResponse("x" * 32_000_000)


async def small(call: Call) -> Response:
    return PlainTextResponse("here\n")


async def whole(call: Call) -> Response:
    return PlainTextResponse(str(len(await read_whole(call.request, SOON_S))))


async def by_line(call: Call) -> Response:
    found = [line.decode() async for line in lines(call.request, SOON_S, NEVER_S)]
    return PlainTextResponse(json.dumps(found))


@asynccontextmanager
async def served(patience: Patience, body: Operation | None = None) -> AsyncIterator[Server]:
    operations = [
        Operation(path="/metrics", handle=large),
        Operation(path="/livez", handle=small),
        body or Operation(path="/v1/answer", method="POST", handle=whole),
    ]
    server = Server(Listener(address="127.0.0.1:0"), Access(), operations, patience=patience)
    await server.start()
    try:
        yield server
        assert (200, "here") == await get(server.address, "/livez")
    finally:
        await server.close()


SLOW_HEADS = {"silent": b"", "line": b"GET /liv", "headers": b"GET /livez HTTP/1.1\r\nHost: x\r\nA: "}


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, byte: bytes) -> None:
    """Send a byte now and then, until the connection has ended."""
    coming = asyncio.ensure_future(reader.read())
    async with asyncio.timeout(PATIENCE_S):
        while not coming.done():
            writer.write(byte)
            await asyncio.wait((coming,), timeout=SOON_S / 4)
    await asyncio.gather(coming, return_exceptions=True)


@pytest.mark.parametrize("said", SLOW_HEADS.values(), ids=SLOW_HEADS)
async def test_slow_head(said: bytes) -> None:
    """A head that does not come to its end is cut, however it trickles."""
    patience = Patience(head_s=SOON_S, reader_s=NEVER_S, idle_s=NEVER_S)
    async with served(patience) as server, connected(server.address) as (reader, writer):
        writer.write(said)
        await trickle(reader, writer, b"a" if said else b"")


async def test_slow_second_head() -> None:
    """The same for the second request of a connection."""
    patience = Patience(head_s=SOON_S, reader_s=NEVER_S, idle_s=NEVER_S)
    async with served(patience) as server, connected(server.address) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"here\n")
        await trickle(reader, writer, b"G")


async def test_idle() -> None:
    """A connection without another request is closed after a while."""
    patience = Patience(head_s=NEVER_S, reader_s=NEVER_S, idle_s=1)
    async with served(patience) as server, connected(server.address) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 30)).endswith(b"here\n")


async def test_slow_reader() -> None:
    """Who does not read is cut, and holds nothing."""
    patience = Patience(head_s=NEVER_S, reader_s=SOON_S, idle_s=NEVER_S)
    async with served(patience) as server, connected(server.address) as (_, writer):
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
        await eventually(lambda: len(server.connections) == 1)
        await eventually(lambda: len(server.connections) == 0)


async def test_slow_body() -> None:
    """A body that does not come to its end is refused in time."""
    async with served(Patience()) as server, connected(server.address) as (reader, writer):
        writer.write(HEAD + b"\r\n12345")
        answer = await asyncio.wait_for(reader.read(), 30)
        assert b"HTTP/1.1 408 " == answer[:13]
        assert b'"code":"REQUEST_TIMEOUT"' in answer


SLOW_LINES = Operation(path="/v1/answer", method="POST", handle=by_line)


async def test_slow_line() -> None:
    """A line may be long in coming, but not in pieces."""
    async with served(Patience(), SLOW_LINES) as server:
        async with connected(server.address) as (reader, writer):
            head = HEAD.replace(b"Content-Length: 10", b"Connection: close\r\nTransfer-Encoding: chunked")
            writer.write(head + b"\r\n3\r\na\nb\r\n")
            answer = await asyncio.wait_for(reader.read(), 30)
            assert b"HTTP/1.1 408 " == answer[:13]
            assert b'"field":"line"' in answer
        status, _, body = await request(server.address, "POST", "/v1/answer", b"a\n\n  \nb\r\nc")
        assert (200, ["a", "b\r", "c"]) == (status, json.loads(body))


@pytest.mark.parametrize("body", [None, SLOW_LINES], ids=["whole", "line"])
async def test_large_body(body: Operation | None) -> None:
    """A body or a line over the limit is refused, whether it says its length or not; one at the limit is not."""
    async with served(Patience(), body) as server:
        status, _, _ = await request(server.address, "POST", "/v1/answer", b"x" * MAX_JSON_BYTES)
        assert 200 == status
        status, _, said = await request(server.address, "POST", "/v1/answer", b"x" * (MAX_JSON_BYTES + 1))
        assert (413, "TOO_LARGE") == (status, json.loads(said)["code"])
