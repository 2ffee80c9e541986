"""TLS to Redis, by files that may be exchanged while they are in use."""

from __future__ import annotations

from collections.abc import Mapping
from ssl import SSLContext
from typing import Any

from redis.asyncio.connection import SSLConnection


def fresh_tls(kind: type[SSLConnection] = SSLConnection) -> type[SSLConnection]:
    """A kind of connection that reads its certificates again for every connect, for the connections of one client.

    While what is there cannot be used, the last that could be is in force.
    """
    last: list[SSLContext] = []

    class FreshTls(kind):  # type: ignore[valid-type, misc]
        def _connection_arguments(self) -> Mapping[str, Any]:
            self.ssl_context.context = None
            try:
                last[:] = [self.ssl_context.get()]
            except (OSError, ValueError):  # SSLError is the first; not there, or half written
                if not last:
                    raise
                self.ssl_context.context = last[0]
            arguments: Mapping[str, Any] = super()._connection_arguments()
            return arguments

    return FreshTls
