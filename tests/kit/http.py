"""HTTP as a client speaks it, from a port or a socket file, in plaintext or over TLS; one request a connection."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import h11

JSON = "application/json"
NDJSON = "application/x-ndjson"


async def get(
    address: str, path: str, context: ssl.SSLContext | None = None, *, authorization: str | None = None
) -> tuple[int, str]:
    """Status, and text without the blanks around it.

    Raises:
        OSError: no connection, or it was cut.
    """
    headers = {} if authorization is None else {"Authorization": authorization}
    status, _, body = await request(address, "GET", path, context=context, headers=headers)
    return status, body.decode().strip()


async def request(
    address: str,
    method: str,
    path: str,
    content: object = None,
    *,
    kind: str = JSON,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by their names in small letters, and body.

    Args:
        content: of the body: bytes as they are, all else as JSON; None: no body.

    Raises:
        OSError: no connection, or it was cut.
    """
    body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
    more = {"Content-Type": kind, "Content-Length": str(len(body))} if content is not None else {}
    async with connected(address, context) as (reader, writer):
        client = h11.Connection(h11.CLIENT)
        writer.write(_head(client, address, method, path, {**more, **(headers or {})}))
        writer.write(client.send(h11.Data(data=body)) or b"")
        writer.write(client.send(h11.EndOfMessage()) or b"")
        head: h11.Response | None = None
        found = bytearray()
        while not isinstance(event := await _event(client, reader), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                found += event.data
    assert head is not None
    return head.status_code, {name.decode(): value.decode() for name, value in head.headers}, bytes(found)


class LineStream:
    """Lines of JSON to the worker, and from it."""

    def __init__(
        self, client: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._client = client
        self._reader = reader
        self._writer = writer
        self.status = 0

    async def send(self, content: object) -> None:
        """Send a line; waits while too much is on its way."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode() + b"\n"
        self._writer.write(self._client.send(h11.Data(data=data)) or b"")
        await self._writer.drain()

    def end(self) -> None:
        """Send no more."""
        self._writer.write(self._client.send(h11.EndOfMessage()) or b"")

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """Lines that come, until there are no more.

        Raises:
            OSError: the connection was cut.
        """
        rest = b""
        while not isinstance(event := await _event(self._client, self._reader), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                self.status = event.status_code
            elif isinstance(event, h11.Data):
                *whole, rest = (rest + bytes(event.data)).split(b"\n")
                for line in whole:
                    yield json.loads(line)

    def abort(self) -> None:
        """Be gone, without a word."""
        self._writer.transport.abort()


@asynccontextmanager
async def open_lines(address: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[LineStream]:
    """A request of many lines."""
    async with connected(address) as (reader, writer):
        client = h11.Connection(h11.CLIENT)
        more = {"Content-Type": NDJSON, "Transfer-Encoding": "chunked", **(headers or {})}
        writer.write(_head(client, address, "POST", "/v1/answer", more))
        yield LineStream(client, reader, writer)


@asynccontextmanager
async def connected(
    address: str, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to HOST:PORT or unix:PATH."""
    if address.startswith("unix:"):
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
    else:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        yield reader, writer
    finally:
        writer.close()


def _head(client: h11.Connection, address: str, method: str, path: str, headers: Mapping[str, str]) -> bytes:
    host = "x" if address.startswith("unix:") else address
    named = {"Host": host, "Connection": "close", **headers}
    sent = client.send(h11.Request(method=method, target=path, headers=list(named.items())))
    assert sent is not None
    return sent


async def _event(client: h11.Connection, reader: asyncio.StreamReader) -> Any:
    try:
        while (event := client.next_event()) is h11.NEED_DATA:
            client.receive_data(await reader.read(65536))
    except h11.RemoteProtocolError:
        raise ConnectionError("the connection was cut") from None
    if isinstance(event, h11.ConnectionClosed):
        raise ConnectionError("the connection was cut")
    return event
