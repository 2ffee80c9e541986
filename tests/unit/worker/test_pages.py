"""Pages over HTTP: what is asked for, and nothing that a client sends can do harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from spanserve.access import Role
from spanserve.contract.errors import SettingsError
from spanserve.doors.access import Access
from spanserve.doors.identity import OPEN
from spanserve.doors.listener import Listener
from spanserve.worker.open_connections import MAX_OPEN
from spanserve.worker.pages import Page, Pages

ROLES = {"/metrics": Role.OBSERVE, "/hello": Role.OBSERVE, "/broken": OPEN}


async def hello() -> Page:
    return Page(b"hello\n", "text/plain")


async def broken() -> Page:
    raise ValueError("a fault of ours")


def pages_at(address: str) -> Pages:
    return Pages(
        Listener(address=address), Access(), {"/hello": hello, "/broken": broken, "/other": hello}, ROLES
    )


@pytest.fixture
async def address() -> AsyncIterator[str]:
    pages = pages_at("127.0.0.1:0")
    await pages.start()
    yield pages.address
    pages.close()


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


ANSWERS = {
    "get": (b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"hello\n"),
    "get-1.0": (b"GET /hello HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"hello\n"),
    "query": (b"GET /hello?a=b HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"hello\n"),
    "head": (b"HEAD /hello HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"Content-Length: 6"),
    "elsewhere": (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 Not Found\r\n", b"Not Found\n"),
    "not-in-the-table": (b"GET /other HTTP/1.1\r\n\r\n", b"HTTP/1.1 403 Forbidden\r\n", b"Forbidden\n"),
    "post": (b"POST /hello HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed\r\n", b"Not Allowed\n"),
}


@pytest.mark.parametrize(("request_", "start", "part"), ANSWERS.values(), ids=ANSWERS)
async def test_answers(address: str, request_: bytes, start: bytes, part: bytes) -> None:
    """A page is given to GET, its head to HEAD, and an error to everything else."""
    answer = await ask(address, request_)
    assert start == answer[: len(start)]
    assert part in answer
    assert (b"hello" in answer) == (b"GET /hello" in request_)


async def test_a_page_that_cannot_be_made(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in making a page is told to the client by its status, and is in the log."""
    log = Mock()
    monkeypatch.setattr("spanserve.worker.pages.log", log)
    answer = await ask(address, b"GET /broken HTTP/1.1\r\n\r\n")
    assert b"HTTP/1.1 500 Internal Server Error" == answer.split(b"\r\n")[0]
    assert "a fault of ours" == str(log.error.call_args.kwargs["exc_info"])
    assert b"hello" in await ask(address, b"GET /hello HTTP/1.1\r\n\r\n")


NONSENSE = {"no-http": b"\x16\x03\x01\x02\x00\r\n\r\n", "cut-off": b"GET /he", "endless": b"A" * 100_000}


@pytest.mark.parametrize("request_", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense(address: str, request_: bytes) -> None:
    """What is no request ends the connection; the next one is served."""
    assert b"" == await ask(address, request_)
    assert b"hello" in await ask(address, b"GET /hello HTTP/1.1\r\n\r\n")


async def test_socket_file(tmp_path: Path) -> None:
    """Pages are served on a socket file as well, and one that was left behind is no obstacle."""
    for _ in range(2):
        pages = pages_at(f"unix:{tmp_path}/p")
        await pages.start()
        assert b"hello" in await ask(pages.address, b"GET /hello HTTP/1.1\r\n\r\n")
        pages.close()


@pytest.mark.parametrize("where", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "unix:/no/such/folder/p"])
async def test_addresses_that_cannot_be(where: str) -> None:
    """An address that cannot be served is refused by name."""
    with pytest.raises(SettingsError, match=where):
        await pages_at(where).start()


async def test_in_use(address: str) -> None:
    """An address that somebody else has is refused."""
    with pytest.raises(SettingsError, match=address):
        await pages_at(address).start()


async def test_silent_connections(address: str) -> None:
    """However many connections say nothing, whoever asks gets the page; the oldest of them go."""
    host, _, port = address.rpartition(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(2 * MAX_OPEN)]
    assert (await ask(address, b"GET /hello HTTP/1.1\r\n\r\n")).endswith(b"hello\n")
    cut = await asyncio.gather(*(reader.read() for reader, _ in silent[:MAX_OPEN]), return_exceptions=True)
    assert all(isinstance(end, ConnectionError) or end == b"" for end in cut)
    for _, writer in silent:
        writer.close()
