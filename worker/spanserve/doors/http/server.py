"""An HTTP server on one listener: uvicorn's connections on this process's own loop, with the TLS in force now."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence

import structlog
from uvicorn.config import Config
from uvicorn.server import ServerState

from spanserve.contract.errors import SettingsError
from spanserve.doors.access import Access, TlsMaterial
from spanserve.doors.http.app import App
from spanserve.doors.http.connection import MAX_HEAD_BYTES, Connection, Patience
from spanserve.doors.http.crowd import MAX_OPEN, OpenConnections
from spanserve.doors.http.hosts import Hosts
from spanserve.doors.http.operation import Operation
from spanserve.doors.http.turns import Turns
from spanserve.doors.listener import Listener, is_local
from spanserve.doors.socket_file import is_private, permissions

#: Seconds that requests get to end when the server stops.
STOP_GRACE_S = 1.0

log = structlog.get_logger(__name__)


def pages_server(
    listener: Listener,
    access: Access,
    pages: Sequence[Operation],
    hosts: Sequence[str] = (),
    *,
    most: int = MAX_OPEN,
) -> Server:
    """A server of pages for observers. It checks its name only on loopback: elsewhere scrapers may use any."""
    return Server(
        listener, access, pages, Hosts(listener, hosts) if is_local(listener.address) else None, most=most
    )


class Server:
    """Serves operations.

    Args:
        listener: where, and for whom; `address` holds the real address after `start`.
        hosts: by which names browsers may call; None: by any.
    """

    def __init__(
        self,
        listener: Listener,
        access: Access,
        operations: Sequence[Operation],
        hosts: Hosts | None = None,
        *,
        patience: Patience | None = None,
        most: int = MAX_OPEN,
    ) -> None:
        self.listener = listener
        self.address = listener.address
        self.connections = OpenConnections(most)
        self._access = access
        self._app = App(listener, access, operations, hosts)
        self._patience = patience or Patience()
        self._config = Config(
            self._app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=round(self._patience.idle_s),
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._turns: Turns
        self._closed = False
        self._shown: tuple[TlsMaterial, ssl.SSLContext] | None = None
        self._withdrawals = access.withdrawals
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: the address is not valid, or is in use.
        """
        loop = asyncio.get_running_loop()
        self._turns = Turns(loop.call_later)
        try:
            if self.listener.is_socket_file:
                path = self.address.removeprefix("unix:")
                with permissions(self.listener.mode):
                    self._server = await loop.create_unix_server(self._accept, path)
                if is_private(path):
                    self._app.gate.is_private()
            else:
                host, _, port = self.address.rpartition(":")
                self._server = await loop.create_server(self._accept, host.strip("[]"), int(port))
                self.address = f"{host}:{self._server.sockets[0].getsockname()[1]}"
        except (OSError, ValueError, OverflowError) as error:
            raise SettingsError(f"cannot serve HTTP on {self.address}: {error}") from None
        self._unsubscribe = self._access.subscribe(self._look_again)

    def hurry(self) -> None:
        """Do what waits for its turn without a rest: nothing new comes."""
        self._turns.hurry()

    async def close(self) -> None:
        """Stop listening, and give requests that are being served a moment."""
        self._unsubscribe()
        self._closed = True
        if self._server is None:
            return
        self._server.close()
        for connection in self.connections:
            connection.leave()
        if self._state.tasks:
            await asyncio.wait(tuple(self._state.tasks), timeout=STOP_GRACE_S)
        for connection in self.connections:
            connection.abort()
        if self._state.tasks:
            await asyncio.wait(tuple(self._state.tasks), timeout=STOP_GRACE_S)
        self._server = None

    def _accept(self) -> Connection:
        connection = Connection(
            self._config, self._state, self._patience, self._turns, self._context(), self.connections.leave
        )
        if self._closed:  # it was accepted a moment before
            connection.abort()
        self.connections.enter(connection)
        return connection

    def _context(self) -> ssl.SSLContext | None:
        """For the next handshake: of the files as they are now."""
        if not self.listener.tls:
            return None
        material = self._access.tls
        if self._shown is None or self._shown[0] is not material:
            self._shown = material, material.context(certificates=self.listener.certificates)
        return self._shown[1]

    def _look_again(self) -> None:
        """End connections that are no longer let in."""
        self._app.look_again()
        if self.listener.certificates and self._withdrawals != self._access.withdrawals:
            for connection in self.connections:
                connection.abort()
        self._withdrawals = self._access.withdrawals
