"""A few pages over HTTP, from the event loop itself: metrics, and health for those that speak no gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import structlog

from spanserve.access import Role
from spanserve.contract.errors import SettingsError
from spanserve.doors.access import Access
from spanserve.doors.certificate import PeerCertificate, not_after
from spanserve.doors.gate import Gate, Shown
from spanserve.doors.identity import ROLES, NotAllowed, Unidentified
from spanserve.doors.listener import Listener
from spanserve.doors.observer import PERMISSION_DENIED, RATE_LIMITED, UNAUTHENTICATED
from spanserve.doors.rate import RateLimit
from spanserve.doors.socket_file import is_private, permissions
from spanserve.worker.handshake import hold_back, secured
from spanserve.worker.open_connections import OpenConnections

#: Seconds a client gets to send its request and to take the page.
TIMEOUT_S = 10.0
#: Bytes of a request; asyncio's own limit for a stream is as small.
_MAX_REQUEST = 16 * 1024
#: Who may see this page may see the whole of every page.
_OBSERVED = "/metrics"
_STATUS = {
    UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
}

_Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """What a client gets."""

    body: bytes
    content_type: str
    status: HTTPStatus = HTTPStatus.OK


class Pages:
    """Serves pages to GET and HEAD, one request a connection.

    A page that is open to everybody says no more than its status to those who may not observe.

    Args:
        listener: where, and for whom; `address` holds the real address after `start`.
        pages: path -> what makes the page.
        roles: path -> the role it needs.
    """

    def __init__(
        self,
        listener: Listener,
        access: Access,
        pages: Mapping[str, Callable[[], Awaitable[Page]]],
        roles: Mapping[str, Role | None] = ROLES,
    ) -> None:
        self.address = listener.address
        self._listener = listener
        self._access = access
        self._gate = Gate(listener, access, roles)
        self._pages = pages
        self._open_calls = RateLimit()
        self._server: asyncio.Server | None = None
        self._connections = OpenConnections()
        self._serving: set[asyncio.Future[None]] = set()
        self._shown: object = None
        self._renewal: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: the address is none, or is in use.
        """
        try:
            self._server = await self._listen()
        except (OSError, ValueError, OverflowError) as error:
            raise SettingsError(f"cannot serve pages on {self.address}: {error}") from None
        if not self._listener.is_socket_file:
            port = self._server.sockets[0].getsockname()[1]
            self.address = f"{self.address.rpartition(':')[0]}:{port}"
        self._unsubscribe = self._access.subscribe(self._look_again)

    def close(self) -> None:
        """Listen no more."""
        self._unsubscribe()
        if self._renewal is not None:
            self._renewal.cancel()
        if self._server is not None:
            self._server.close()

    async def _listen(self) -> asyncio.Server:
        """Serve with the TLS that is in force now."""
        tls = self._access.tls if self._listener.tls else None
        context = tls.context(certificates=self._listener.certificates) if tls else None
        connected = partial(self._connected, context)
        if self._listener.is_socket_file:
            server = await self._listen_at(self.address.removeprefix("unix:"), connected)
        else:
            host, _, port = self.address.rpartition(":")
            server = await asyncio.start_server(connected, host.strip("[]"), int(port), limit=_MAX_REQUEST)
        self._shown = tls
        return server

    async def _listen_at(self, path: str, connected: _Connected) -> asyncio.Server:
        """Serve on a socket file, with the permissions that the listener gives it."""
        with permissions(self._listener.mode):
            server = await asyncio.start_unix_server(connected, path, limit=_MAX_REQUEST)
        if is_private(path):
            self._gate.is_private()
        return server

    def _look_again(self) -> None:
        renewing = self._renewal is not None and not self._renewal.done()
        if self._listener.tls and self._shown is not self._access.tls and not renewing:
            self._renewal = asyncio.ensure_future(self._renew())

    async def _renew(self) -> None:
        """Serve with the new files. What cannot be done now is tried again at the next look."""
        if self._server is not None:
            self._server.close()
        try:
            self._server = await self._listen()
        except OSError as error:
            log.error("cannot serve pages again", address=self.address, error=str(error))

    def _connected(
        self, tls: ssl.SSLContext | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if tls is not None:
            hold_back(writer)
        serving = asyncio.ensure_future(self._serve(tls, reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(
        self, tls: ssl.SSLContext | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        gone = TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        with self._connections.hold(writer), contextlib.closing(writer), contextlib.suppress(*gone):
            async with asyncio.timeout(TIMEOUT_S):
                if tls is None:
                    await self._exchange(reader, writer)
                else:
                    await self._exchange(*await secured(writer, tls, _MAX_REQUEST))

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A request and its answer."""
        with contextlib.closing(writer):
            request = await reader.readuntil(b"\r\n\r\n")
            writer.write(await self._answer(request, writer))
            await writer.drain()

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter) -> bytes:
        """The whole answer to a request; none to what is no HTTP."""
        first, *lines = request.decode("latin-1").split("\r\n")
        try:
            method, target, _ = first.split(" ")
        except ValueError:
            return b""
        path = target.partition("?")[0]
        page = await self._page(method, path, self._shown_by(lines, writer), _host(writer))
        extra = "WWW-Authenticate: Bearer\r\n" if page.status is HTTPStatus.UNAUTHORIZED else ""
        head = (
            f"HTTP/1.1 {page.status.value} {page.status.phrase}\r\n"
            f"Content-Type: {page.content_type}\r\n"
            f"Content-Length: {len(page.body)}\r\n"
            f"{extra}"
            "Connection: close\r\n\r\n"
        )
        return head.encode() + (b"" if method == "HEAD" else page.body)

    async def _page(self, method: str, path: str, shown: Shown, host: str) -> Page:
        """What a caller gets for a path."""
        if method not in ("GET", "HEAD"):
            return plain(HTTPStatus.METHOD_NOT_ALLOWED)
        make = self._pages.get(path)
        if make is None:
            return plain(HTTPStatus.NOT_FOUND)
        reason = self._refused(path, shown)
        if reason is not None and self._gate.is_open(path):
            reason = None if self._open_calls.allow(host) else RATE_LIMITED
            make = partial(_only_status, make)
        if reason is not None:
            self._access.denied(reason, self._listener.scheme)
            return plain(_STATUS[reason])
        try:
            return await make()
        except Exception as error:
            log.error("page failed", page=path, exc_info=error)
            return plain(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _refused(self, path: str, shown: Shown) -> str | None:
        """Why a caller may not see the whole of a page; None: they may."""
        try:
            self._gate.admit(_OBSERVED if self._gate.is_open(path) else path, shown)
        except Unidentified:
            return UNAUTHENTICATED
        except NotAllowed:
            return PERMISSION_DENIED
        return None

    def _shown_by(self, lines: list[str], writer: asyncio.StreamWriter) -> Shown:
        """What a caller shows of itself."""
        headers = [line.split(":", 1) for line in lines if ":" in line]
        authorization = [value.strip() for name, value in headers if name.strip().lower() == "authorization"]
        return Shown(authorization, _certificate(writer) if self._listener.certificates else None)


def _certificate(writer: asyncio.StreamWriter) -> PeerCertificate | None:
    """What the client has shown in the handshake."""
    wire: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    found: Any = wire.getpeercert() if wire is not None else None
    data = wire.getpeercert(binary_form=True) if wire is not None else None
    if not found or not data:
        return None
    names = tuple(str(value) for _, value in found.get("subjectAltName", ()))
    common = [value for part in found.get("subject", ()) for name, value in part if name == "commonName"]
    return PeerCertificate(names, (*common, "")[0], not_after(data))


def _host(writer: asyncio.StreamWriter) -> str:
    peer = writer.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else ""


async def _only_status(make: Callable[[], Awaitable[Page]]) -> Page:
    return plain((await make()).status)


def plain(status: HTTPStatus) -> Page:
    """A page that says its status, and nothing else."""
    return Page(f"{status.phrase}\n".encode(), "text/plain; charset=utf-8", status)
