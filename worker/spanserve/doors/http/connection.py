"""One connection of an HTTP server: uvicorn's protocol, with limits to how long a client may take for anything, and to
how much of the loop's time what it sends may take to parse."""

from __future__ import annotations

import asyncio
import itertools
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from spanserve.doors.certificate import PeerCertificate, not_after
from spanserve.doors.http.gone import unless
from spanserve.doors.http.turns import COSTLY_PARTS, COSTLY_S, Turns

#: Bytes and lines of a request line and its headers.
MAX_HEAD_BYTES = 16 * 1024
MAX_HEAD_LINES = 128
#: Bytes that are parsed at a time: at least and at most, and how they grow while that costs little.
LEAST_BYTES, MOST_BYTES, GROWTH = 1024, 16 * 1024, 4
_blank_line = re.compile(rb"\n\r?\n").search
_numbers = itertools.count(1)

T = TypeVar("T")


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


class _Flow(FlowControl):
    """Reading stops while uvicorn wants it to, and while what has come waits for its turn (`held`)."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self.held = False

    def hold(self) -> None:
        self.held = True
        self._transport.pause_reading()

    def release(self) -> None:
        self.held = False
        if not self.read_paused:
            self._transport.resume_reading()

    def resume_reading(self) -> None:
        if self.held:
            self.read_paused = False
        else:
            super().resume_reading()


class Connection(H11Protocol):
    """A connection, from the moment it is accepted. The application finds it in the scope, as `connection`.

    Args:
        turns: in which it is parsed if that takes long.
        tls: what a handshake is made with; None: none is made.
        ended: called when it has ended.
        processor_s: seconds of processor time that this thread has used.
    """

    flow: _Flow

    def __init__(
        self,
        config: Config,
        state: ServerState,
        patience: Patience,
        turns: Turns,
        tls: ssl.SSLContext | None,
        ended: Callable[[Connection], None],
        *,
        processor_s: Callable[[], float] = time.thread_time,
    ) -> None:
        super().__init__(config, state, {})
        self.name = f"http:{next(_numbers)}"
        #: Set when it has ended.
        self.lost = asyncio.Event()
        self._patience = patience
        self._turns = turns
        self._processor_s = processor_s
        self._tls = tls
        self._ended = ended
        self._accepted: asyncio.Transport | None = None
        self._handshake: asyncio.Task[None] | None = None
        #: What has come and is not parsed yet; how much of it is next; seconds that parsing has taken in this turn.
        self._unparsed = bytearray()
        self._piece = LEAST_BYTES
        self._spent_s = 0.0
        #: Whether `handle_events` was called while held.
        self._owed = False
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

    async def in_turn(self, caller: str, parts: int, work: Callable[[], T]) -> T:
        """Read or write JSON with so many numbers, texts, lists and objects: at once, or in turn if that may take long.

        Raises:
            ClientDisconnect: the client has gone, and it is left undone.
        """
        if parts < COSTLY_PARTS:
            return work()
        return await unless(self.lost.wait(), self._turns.do(caller, work))

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
        self._parse()

    def _begin(self, transport: asyncio.Transport) -> None:
        self._begun = True
        super().connection_made(transport)
        self.flow = _Flow(transport)

    def data_received(self, data: bytes) -> None:
        self._unparsed += data
        if not self._begun or self.flow.held:  # it came with the end of the handshake, or waits for its turn
            return
        self._spent_s = 0.0
        self._parse()

    def go_on(self) -> float:
        """Parse on after a wait."""
        self._spent_s = 0.0
        self.flow.held = False
        if self._owed and not self.transport.is_closing():  # a request that came with the one before
            self._owed = False
            self.handle_events()
            if self.busy:
                self._calm()
        self._parse()
        if not self.flow.held and not self.transport.is_closing():
            self.flow.release()
        return self._spent_s

    def _parse(self) -> None:
        """Parse what has come, piece by piece, until that has taken too long."""
        while self._unparsed and not self.flow.held and not self.transport.is_closing():
            piece, before_s = bytes(self._unparsed[: self._piece]), self._spent_s
            del self._unparsed[: self._piece]
            was_busy = self.busy
            super().data_received(piece)
            if self.busy:
                if not was_busy:
                    self._calm()
            elif not self._in_head and self.conn.their_state is h11.IDLE and not was_busy:
                self._in_head = True
                self._within(self._patience.head_s)
            cheap = self._spent_s - before_s < COSTLY_S / GROWTH
            self._piece = min(self._piece * GROWTH, MOST_BYTES) if cheap else LEAST_BYTES

    def handle_events(self) -> None:
        """As uvicorn does, for as long as that may take."""
        if self.flow.held:
            self._owed = True
            return
        began_s = self._processor_s()
        if self.conn.their_state is h11.IDLE and self._head_lines() > MAX_HEAD_LINES:
            self.send_400_response(f"the head of a request has more than {MAX_HEAD_LINES} lines")
        else:
            super().handle_events()
        self._spent_s += self._processor_s() - began_s
        if self._spent_s > COSTLY_S and not self.transport.is_closing():
            self.flow.hold()
            self._turns.enter(self.host, self, self._spent_s)

    def _head_lines(self) -> int:
        data, _ = self.conn.trailing_data
        end = _blank_line(data)
        return data.count(b"\n", 0, end.start() + 1 if end else len(data))

    def send_400_response(self, msg: str) -> None:
        """Say that this is no request; where an answer has begun, there is no place for that."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.abort()

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
        self._turns.leave(self.host, self)
        self._calm()
        self._read_on()
        self._ended(self)
