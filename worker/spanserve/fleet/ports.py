"""Keeps the ports of workers for them while they are being started again.

50051 and its neighbours are among the ports that Linux gives to outgoing connections (32768 to 60999). While a
worker is down, such a connection may take its port, even one to that very port: it would then be connected to
itself. A socket that is bound and does not listen prevents that, but does not prevent the worker from listening,
since both set SO_REUSEADDR and only one listens.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable

from spanserve.contract.errors import SettingsError


def reserve(addresses: Iterable[str], stack: contextlib.ExitStack) -> None:
    """Bind a socket to each HOST:PORT, until the stack is closed.

    Raises:
        SettingsError: another process listens there, or the address is not this machine's.
    """
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
            family, kind, protocol, _, where = found[0]
            held = stack.enter_context(socket.socket(family, kind, protocol))
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(where)
        except OSError as error:
            raise SettingsError(f"cannot listen on {address}: {error.strerror or error}") from None
