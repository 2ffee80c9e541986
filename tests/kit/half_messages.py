"""HTTP/2 by hand, as far as it takes to begin gRPC calls whose message never ends."""

from __future__ import annotations

import asyncio
import struct

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _WINDOW_UPDATE, _END_HEADERS = 0, 1, 4, 8, 4
#: Bytes of a frame that every server takes.
_FRAME = 16_384


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _header(name: str, value: str) -> bytes:
    """A literal without indexing (RFC 7541, 6.2.2); both shorter than 127 bytes."""
    return b"\0" + b"".join(bytes((len(text),)) + text.encode() for text in (name, value))


class HalfMessages:
    """A connection that opens calls and sends messages of `size` bytes but for the last hundred, as fast as it may."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
        self._reader, self._writer = reader, writer
        self._message = struct.pack(">BI", 0, size) + bytes(size - 100)
        self._window = 65_535
        self._windows: dict[int, int] = {}
        self._sent: dict[int, int] = {}
        self._next = 1
        #: Calls that the server has ended.
        self.ended = 0
        self.bytes_sent = 0

    @classmethod
    async def connect(cls, address: str, size: int) -> HalfMessages:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
        return cls(reader, writer, size)

    def begin(self, method: str, calls: int, **more: str) -> None:
        """Open calls of a method.

        Args:
            more: headers; `_` in their names stands for `-`.
        """
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": method,
            ":authority": "attacked",
            "content-type": "application/grpc",
            "te": "trailers",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        block = b"".join(_header(*pair) for pair in headers.items())
        for _ in range(calls):
            self._writer.write(_frame(_HEADERS, _END_HEADERS, self._next, block))
            self._windows[self._next], self._sent[self._next] = 65_535, 0
            self._next += 2

    async def run(self) -> None:
        """Send what the server's windows allow, until cancelled."""
        try:
            while True:
                for stream in list(self._sent):
                    self._push(stream)
                await self._writer.drain()
                await self._take()
        finally:
            self._writer.close()

    def _push(self, stream: int) -> None:
        at = self._sent[stream]
        size = min(_FRAME, self._window, self._windows[stream], len(self._message) - at)
        if size > 0:
            self._writer.write(_frame(_DATA, 0, stream, self._message[at : at + size]))
            self._window -= size
            self._windows[stream] -= size
            self._sent[stream] += size
            self.bytes_sent += size

    async def _take(self) -> None:
        """Take a frame in, if one comes soon."""
        try:
            async with asyncio.timeout(0.01):
                head = await self._reader.readexactly(9)
        except TimeoutError:
            return
        length, (kind, flags, stream) = int.from_bytes(head[:3], "big"), struct.unpack(">BBI", head[3:])
        payload = await self._reader.readexactly(length)
        if kind == _SETTINGS and not flags & 1:
            self._writer.write(_frame(_SETTINGS, 1, 0, b""))
        elif kind == _WINDOW_UPDATE:
            more = struct.unpack(">I", payload)[0]
            if stream:
                self._windows[stream] = self._windows.get(stream, 0) + more
            else:
                self._window += more
        elif kind == 3 or (kind == _HEADERS and flags & 1):  # reset, or trailers
            self.ended += self._sent.pop(stream, None) is not None
