"""A few pages over plain HTTP, from the event loop itself: metrics, and health for those that speak no gRPC."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from spanserve.contract.errors import SettingsError
from spanserve.worker.open_connections import OpenConnections

#: Seconds a client gets to send its request and to take the page.
TIMEOUT_S = 10.0
#: Bytes of a request; asyncio's own limit for a stream is as small.
_MAX_REQUEST = 16 * 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """What a client gets."""

    body: bytes
    content_type: str
    status: HTTPStatus = HTTPStatus.OK


class Pages:
    """Serves pages to GET and HEAD, one request a connection.

    Args:
        address: HOST:PORT (port 0: any) or unix:PATH; `address` holds the real one after `start`.
        pages: path -> what makes the page.
    """

    def __init__(self, address: str, pages: Mapping[str, Callable[[], Awaitable[Page]]]) -> None:
        self.address = address
        self._pages = pages
        self._server: asyncio.Server | None = None
        self._connections = OpenConnections()

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: the address is none, or is in use.
        """
        host, _, port = self.address.rpartition(":")
        try:
            if self.address.startswith("unix:"):
                path = self.address.removeprefix("unix:")
                self._server = await asyncio.start_unix_server(self._serve, path, limit=_MAX_REQUEST)
                return
            self._server = await asyncio.start_server(
                self._serve, host.strip("[]"), int(port), limit=_MAX_REQUEST
            )
        except (OSError, ValueError, OverflowError) as error:
            raise SettingsError(f"cannot serve pages on {self.address}: {error}") from None
        self.address = f"{host}:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        with self._connections.hold(writer), contextlib.closing(writer), contextlib.suppress(*gone):
            async with asyncio.timeout(TIMEOUT_S):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(request))
                await writer.drain()

    async def _answer(self, request: bytes) -> bytes:
        """The whole answer to a request; none to what is no HTTP."""
        try:
            method, target, _ = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        except ValueError:
            return b""
        make = self._pages.get(target.partition("?")[0])
        if method not in ("GET", "HEAD"):
            page = _plain(HTTPStatus.METHOD_NOT_ALLOWED)
        elif make is None:
            page = _plain(HTTPStatus.NOT_FOUND)
        else:
            try:
                page = await make()
            except Exception as error:
                log.error("page failed", page=target, exc_info=error)
                page = _plain(HTTPStatus.INTERNAL_SERVER_ERROR)
        head = (
            f"HTTP/1.1 {page.status.value} {page.status.phrase}\r\n"
            f"Content-Type: {page.content_type}\r\n"
            f"Content-Length: {len(page.body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode() + (b"" if method == "HEAD" else page.body)


def _plain(status: HTTPStatus) -> Page:
    return Page(f"{status.phrase}\n".encode(), "text/plain; charset=utf-8", status)
