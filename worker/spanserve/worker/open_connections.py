"""Connections that are open at a time: a new one beyond the limit takes the place of the oldest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import structlog

#: Of one server of pages. A page takes milliseconds: what is older says nothing, or takes nothing.
MAX_OPEN = 64

log = structlog.get_logger(__name__)


class OpenConnections:
    """Those of one server, the oldest first."""

    def __init__(self, most: int = MAX_OPEN) -> None:
        self._most = most
        self._open: dict[asyncio.StreamWriter, None] = {}

    @contextlib.contextmanager
    def hold(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        """Count a connection until it is done with."""
        self._open[writer] = None
        if len(self._open) > self._most:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
            log.warning("page connections cut", most=self._most, per_minute=1)
        try:
            yield
        finally:
            self._open.pop(writer, None)
