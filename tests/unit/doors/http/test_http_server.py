"""An HTTP server: what is asked for, and nothing that a client sends can do harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from starlette.responses import PlainTextResponse, Response

from spanserve.contract.errors import SettingsError
from spanserve.doors.access import Access
from spanserve.doors.http.operation import Call, Operation
from spanserve.doors.http.server import Server
from spanserve.doors.listener import Listener

#: Of connections that are open at a time here.
MOST = 8


async def hello(call: Call) -> Response:
    return PlainTextResponse("hello\n")


async def broken(call: Call) -> Response:
    raise ValueError("a fault of ours")


def server_at(address: str, **given: Any) -> Server:
    operations = [
        Operation(path="/metrics", handle=hello),
        Operation(path="/livez", handle=broken),
        Operation(path="/other", handle=hello),
    ]
    return Server(Listener(address=address), Access(), operations, **given)


@asynccontextmanager
async def served(**given: Any) -> AsyncIterator[Server]:
    server = server_at("127.0.0.1:0", **given)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async with served(most=MOST) as server:
        yield server.address


async def ask(address: str, request: bytes) -> bytes:
    """All that comes back."""
    if address.startswith("unix:"):
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
    else:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    if not request.endswith(b"\r\n\r\n"):
        writer.write_eof()
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def request(line: str) -> bytes:
    return f"{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


HELLO = request("GET /metrics")
ANSWERS = {
    "get": (request("GET /metrics"), 200, b"hello\n"),
    "get-1.0": (b"GET /metrics HTTP/1.0\r\n\r\n", 200, b"hello\n"),
    "query": (request("GET /metrics?a=b"), 200, b"hello\n"),
    "head": (request("HEAD /metrics"), 200, b"content-length: 6"),
    "elsewhere": (request("GET /"), 404, b'"code":"NOT_FOUND"'),
    "not-in-the-table": (request("GET /other"), 403, b'"code":"PERMISSION_DENIED"'),
    "post": (request("POST /metrics"), 405, b'"code":"METHOD_NOT_ALLOWED"'),
    "two-lengths": (
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        b'"field":"Transfer-Encoding","value":"Content-Length as well","limit":"one of them"',
    ),
    "no-host": (b"GET /metrics HTTP/1.1\r\n\r\n", 400, b"Invalid HTTP request"),
}


@pytest.mark.parametrize(("request_", "status", "part"), ANSWERS.values(), ids=ANSWERS)
async def test_answers(address: str, request_: bytes, status: int, part: bytes) -> None:
    """A page is given to GET, its head to HEAD, and an error to everything else."""
    answer = await ask(address, request_)
    assert f"HTTP/1.1 {status} ".encode() == answer[:13]
    assert part in answer
    assert (b"hello" in answer) == (status == 200 and b"GET" in request_)


async def test_a_page_that_cannot_be_made(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in making a page is told to the client by its status, and is in the log."""
    log = Mock()
    monkeypatch.setattr("spanserve.doors.http.app.log", log)
    answer = await ask(address, request("GET /livez"))
    assert b"HTTP/1.1 500 Internal Server Error" == answer.split(b"\r\n")[0]
    assert "a fault of ours" == str(log.error.call_args.kwargs["exc_info"])
    assert b"hello" in await ask(address, HELLO)


NONSENSE = {"no-http": b"\x16\x03\x01\x02\x00\r\n\r\n", "cut-off": b"GET /he", "endless": b"A" * 100_000}


@pytest.mark.parametrize("request_", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense(address: str, request_: bytes) -> None:
    """What is no request ends the connection, at most with a word; the next one is served."""
    assert (await ask(address, request_))[:12] in (b"", b"HTTP/1.1 400")
    assert b"hello" in await ask(address, HELLO)


async def test_socket_file(tmp_path: Path) -> None:
    """Pages are served on a socket file as well, and one that was left behind is no obstacle."""
    for _ in range(2):
        server = server_at(f"unix:{tmp_path}/p")
        await server.start()
        assert b"hello" in await ask(server.address, HELLO)
        await server.close()


@pytest.mark.parametrize("where", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "unix:/no/such/folder/p"])
async def test_addresses_that_cannot_be(where: str) -> None:
    """An address that cannot be served is refused by name."""
    with pytest.raises(SettingsError, match=where):
        await server_at(where).start()


async def test_in_use(address: str) -> None:
    """An address that somebody else has is refused."""
    with pytest.raises(SettingsError, match=address):
        await server_at(address).start()


async def test_silent_connections(address: str) -> None:
    """However many connections say nothing, whoever asks gets the page; the oldest of them go."""
    host, _, port = address.rpartition(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(2 * MOST)]
    assert (await ask(address, HELLO)).endswith(b"hello\n")
    cut = await asyncio.gather(*(reader.read() for reader, _ in silent[:MOST]), return_exceptions=True)
    assert all(isinstance(end, ConnectionError) or end == b"" for end in cut)
    for _, writer in silent:
        writer.close()
