"""Connections that are open at a time: an idle one makes room for a new one, the one idle for longest first."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from spanserve.doors.descriptors import room_for
from spanserve.doors.http.connection import Connection

#: Of one listener, and of one identity in the middle of a request.
MAX_OPEN = 256
MAX_BUSY_OF_IDENTITY = 192

log = structlog.get_logger(__name__)


class OpenConnections:
    """Those of one listener, the oldest first."""

    def __init__(self, most: int = MAX_OPEN) -> None:
        self._most = room_for(most)
        self._open: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: Connection) -> None:
        """Count a new one. Beyond the limit it takes the place of the oldest idle one; without one it is refused."""
        self._open[connection] = None
        if len(self._open) > self._most:
            idle = (other for other in self._open if not other.busy)
            gone = next(idle, connection)
            self.leave(gone)
            gone.abort()
            log.warning("connections cut", most=self._most, per_minute=1)

    def leave(self, connection: Connection) -> None:
        self._open.pop(connection, None)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._open))
