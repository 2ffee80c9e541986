"""One connection of an HTTP server: uvicorn's protocol, with a limit to how long a client may take for anything."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from spanserve.doors.certificate import PeerCertificate, not_after

#: Bytes of a request line and its headers.
MAX_HEAD_BYTES = 16 * 1024
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds that a client gets.

    Attributes:
        head_s: for its handshake, and for each request line with headers.
        reader_s: to read what is written to it.
        idle_s: between two requests.
    """

    head_s: float = 10.0
    reader_s: float = 10.0
    idle_s: float = 60.0


class Connection(H11Protocol):
    """A connection, from the moment it is accepted. The application finds it in the scope, as `connection`.

    Args:
        tls: what a handshake is made with; None: none is made.
        ended: called when it has ended.
    """

    def __init__(
        self,
        config: Config,
        state: ServerState,
        patience: Patience,
        tls: ssl.SSLContext | None,
        ended: Callable[[Connection], None],
    ) -> None:
        super().__init__(config, state, {})
        self.name = f"http:{next(_numbers)}"
        #: Set when it has ended.
        self.lost = asyncio.Event()
        self._patience = patience
        self._tls = tls
        self._ended = ended
        self._accepted: asyncio.Transport | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._early = bytearray()
        self._begun = self._unwanted = False
        self._in_head = True
        self._cut_later: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        serve = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await serve({**scope, "connection": self}, receive, send)

        self.app = app

    @property
    def busy(self) -> bool:
        """Whether a request is being served."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def host(self) -> str:
        """Address of the other end; empty where it has none."""
        return self.client[0] if self.client else ""

    def certificate(self) -> PeerCertificate | None:
        """What the client has shown in the handshake."""
        wire: ssl.SSLObject | None = self.transport.get_extra_info("ssl_object")
        found: Any = wire.getpeercert() if wire is not None else None
        data = wire.getpeercert(binary_form=True) if wire is not None else None
        if not found or not data:
            return None
        names = tuple(str(value) for _, value in found.get("subjectAltName", ()))
        common = [value for part in found.get("subject", ()) for name, value in part if name == "commonName"]
        return PeerCertificate(names, (*common, "")[0], not_after(data))

    def leave(self) -> None:
        """End it once what is being served is."""
        if not self._begun:
            self.abort()
        elif not self.transport.is_closing():
            self.shutdown()

    def abort(self) -> None:
        """End it at once, whatever is on its way; or as soon as it has begun."""
        self._unwanted = True
        if self._accepted is not None:
            self._accepted.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It was accepted. TLS comes after: a client silent in its handshake is counted, and cut, like others."""
        self._accepted = transport
        if self._unwanted:
            transport.abort()
            return
        self._within(self._patience.head_s)
        if self._tls is None:
            self._begin(transport)
        else:
            transport.pause_reading()  # what comes is for the handshake
            self._handshake = asyncio.ensure_future(self._secure(transport, self._tls))

    async def _secure(self, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        try:
            secured = await self.loop.start_tls(transport, self, tls, server_side=True)
        except OSError:
            secured = None
        if secured is None:  # cut in the handshake
            self._forget()
            transport.abort()
            return
        self._begin(secured)
        if self._early:
            self.data_received(bytes(self._early))

    def _begin(self, transport: asyncio.Transport) -> None:
        self._begun = True
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._begun:  # it came with the end of the handshake
            self._early += data
            return
        was_busy = self.busy
        super().data_received(data)
        if self.busy:
            if not was_busy:
                self._calm()
        elif not self._in_head and self.conn.their_state is h11.IDLE and not was_busy:
            self._in_head = True
            self._within(self._patience.head_s)

    def on_response_complete(self) -> None:
        self._in_head = False
        self._within(self._patience.idle_s + self._patience.reader_s)  # if it should be closed, and cannot
        super().on_response_complete()
        if self.busy:  # the next request was here already
            self._calm()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self._patience.reader_s, self.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        if self._begun:
            super().connection_lost(exc)
            self._unset_keepalive_if_required()

    def _within(self, seconds: float) -> None:
        """Cut it after so long, unless something else is expected before."""
        self._calm()
        self._cut_later = self.loop.call_later(seconds, self.abort)

    def _calm(self) -> None:
        if self._cut_later is not None:
            self._cut_later.cancel()
            self._cut_later = None

    def _read_on(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _forget(self) -> None:
        self.lost.set()
        self._calm()
        self._read_on()
        self._ended(self)
