"""TLS on a connection that was accepted without: who is silent in the handshake is counted, and cut, like all."""

from __future__ import annotations

import asyncio
import ssl


def hold_back(writer: asyncio.StreamWriter) -> None:
    """Read nothing of a connection, from the turn it was accepted in, until `secured`: that is the handshake's."""
    transport = writer.transport
    assert isinstance(transport, asyncio.Transport)
    transport.pause_reading()


async def secured(
    writer: asyncio.StreamWriter, tls: ssl.SSLContext, limit: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Do the handshake of a server. What was accepted is closed by closing `writer`, too.

    Args:
        limit: bytes that may be read ahead.

    Raises:
        OSError: it failed, or the connection was cut.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit)
    protocol = asyncio.StreamReaderProtocol(reader)
    # Not `writer.start_tls`: that fails in asyncio itself where the connection is cut meanwhile (Python 3.11).
    transport = await loop.start_tls(writer.transport, protocol, tls, server_side=True)
    if transport is None:
        raise ConnectionResetError("cut in the handshake")
    protocol.connection_made(transport)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
