"""A page over HTTP, from a port or a socket file, in plaintext or over TLS."""

from __future__ import annotations

import asyncio
import re
import ssl


async def get(
    address: str, path: str, context: ssl.SSLContext | None = None, *, authorization: str | None = None
) -> tuple[int, str]:
    """Status, and text without the blanks around it.

    Raises:
        OSError: no connection, or it was cut.
    """
    if address.startswith("unix:"):
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
    else:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    extra = "" if authorization is None else f"Authorization: {authorization}\r\n"
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{extra}\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status = re.match(rb"HTTP/1.1 (\d{3}) ", head)
    if status is None:
        raise ConnectionError("the connection was cut")
    return int(status[1]), body.decode().strip()
