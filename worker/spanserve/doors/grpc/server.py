"""One listener of gRPC: options, health, credentials, reflection, and the guard before all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import structlog
from grpc import aio
from grpc_health.v1 import health_pb2_grpc

from spanserve.contract.limits import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES
from spanserve.doors.access import Access
from spanserve.doors.descriptors import room_for
from spanserve.doors.gate import Gate
from spanserve.doors.grpc import obstacle
from spanserve.doors.grpc.connections import Connections
from spanserve.doors.grpc.guard import Guard
from spanserve.doors.grpc.oip.messages import PoolsTogether
from spanserve.doors.grpc.reads import BoundedReads, Reads
from spanserve.doors.grpc.sockets import hang_up, peers
from spanserve.doors.listener import Listener
from spanserve.doors.socket_file import is_private, permissions
from spanserve.engine.observer import Observers

#: Bytes of a message beyond the largest frame: tags and numbers of frames.
FRAME_MARGIN = 4096
#: Calls one connection may have open.
MAX_CALLS = 128
#: Connections of a server, where descriptors are enough for them; one more is closed at once.
MAX_CONNECTIONS = 512
#: Milliseconds until a connection must speak HTTP/2, and after which one without a call is closed.
HANDSHAKE_MS = 10_000
IDLE_CONNECTION_MS = 300_000
#: Seconds that calls get to end when an authority that may have let their callers in is withdrawn.
WITHDRAWAL_GRACE_S = 30.0
#: Seconds between two tries to listen again.
REBIND_S = 0.1

OPTIONS = (
    # A frame is told from one that is too large by the service; this much more is not even held.
    ("grpc.max_receive_message_length", MAX_FRAME_BYTES + FRAME_MARGIN),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", MAX_CALLS),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    ("grpc.max_connection_idle_ms", IDLE_CONNECTION_MS),
    ("grpc.http2.bdp_probe", 0),  # it would let every stream send megabytes ahead of what is read
    ("grpc.so_reuseport", 0),  # a second worker on the same port must fail, not share it
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # a minute by default, whatever the keepalive says
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
)

log = structlog.get_logger(__name__)


class Server:
    """Listens on one address. `address` holds the real one after `start`.

    A connection keeps the trust it was made with. So when an authority is withdrawn from the client CA, the server
    opens its socket again at once and ends all its connections, those of others too: their clients connect again.

    Args:
        handlers: of the methods, health and reflection apart.
        health: says how the worker is; one for all its servers.
        reads: bounds those that are pending; one for all servers.
        observers: told of calls that were ended.
        reflected: names of services that reflection lists; none: no reflection.
    """

    def __init__(
        self,
        listener: Listener,
        access: Access,
        handlers: Sequence[grpc.GenericRpcHandler],
        health: health_pb2_grpc.HealthServicer,
        reads: Reads,
        observers: Observers,
        reflected: Sequence[str] = (),
    ) -> None:
        self.listener = listener
        self.address = listener.address
        self._access = access
        self._handlers = tuple(handlers)
        self._health = health
        self._reads = reads
        self._most = room_for(MAX_CONNECTIONS)
        self._port = 0
        self._connections: Connections | None = None
        if not listener.is_socket_file:
            host = listener.address.rpartition(":")[0]
            self._connections = Connections(
                self._most, lambda: peers(host, self._port), lambda gone: hang_up(host, self._port, gone)
            )
        self._looking: asyncio.Task[None] | None = None
        self._reflected = tuple(reflected)
        self._bounded = BoundedReads(reads, observers)
        self._withdrawals = access.withdrawals
        self._shown: object = None
        #: Servers that listen no more, until their last call has ended.
        self._leaving: set[aio.Server] = set()
        self._renewal: asyncio.Task[None] | None = None
        self._unsubscribe = access.subscribe(self._look_again)
        self._guard, self._server = self._make()

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            SettingsError: the address is in use or cannot be bound.
        """
        obstacle.check(self.listener.address)
        try:
            port = self._bind()
        except RuntimeError:
            raise obstacle.explain(self.listener.address) from None
        if self._connections is not None:
            self._port = port
            self.address = f"{self.listener.address.rpartition(':')[0]}:{port}"
            self._looking = asyncio.create_task(self._connections.watch())
        await self._server.start()
        settings = self._access.settings
        if self.listener.tls and not self.listener.asks and settings.anonymous is None:
            log.warning(
                "anyone is let in",
                address=self.address,
                advice="the next release will require --tokens, --tls-client-ca or --anonymous here",
            )

    async def stop(self, grace_s: float) -> None:
        self._unsubscribe()
        for task in filter(None, (self._looking, self._renewal)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.gather(*(server.stop(grace_s) for server in (*self._leaving, self._server)))

    def _make(self) -> tuple[Guard, aio.Server]:
        guard = Guard(Gate(self.listener, self._access), self._reads, self._connections)
        connections = ("grpc.max_allowed_incoming_connections", self._most)
        server = aio.server(options=(*OPTIONS, connections), interceptors=(guard, self._bounded))
        server.add_generic_rpc_handlers(self._handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._reflected:
            from grpc_reflection.v1alpha import reflection

            names = (*self._reflected, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server, PoolsTogether())
        return guard, server

    def _bind(self) -> int:
        """Bind the address; the port, for what has one.

        Raises:
            RuntimeError: it cannot be bound.
        """
        if self.listener.is_socket_file:
            return self._bind_socket_file()
        if not self.listener.tls:
            return self._server.add_insecure_port(self.address)
        return self._server.add_secure_port(self.address, self._credentials())

    def _bind_socket_file(self) -> int:
        with permissions(self.listener.mode):
            if self.listener.tls:
                port = self._server.add_secure_port(self.address, self._credentials())
            else:
                port = self._server.add_insecure_port(self.address)
        if is_private(self.address.removeprefix("unix:")):
            self._guard.gate.is_private()
        return port

    def _credentials(self) -> grpc.ServerCredentials:
        """Those in force now, exchanged before the next handshake when they change."""
        self._shown = self._access.tls
        fetch: Any = self._changed_configuration  # may give None, whatever the types say
        return grpc.dynamic_ssl_server_credentials(self._configuration(), fetch, self.listener.certificates)

    def _changed_configuration(self) -> grpc.ServerCertificateConfiguration | None:
        """Called before every handshake, on a thread of gRPC."""
        now = self._access.tls
        if now is self._shown:
            return None
        self._shown = now
        return self._configuration()

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        tls = self._access.tls
        client_ca = tls.client_ca if self.listener.certificates else None
        return grpc.ssl_server_certificate_configuration([(tls.key, tls.chain)], client_ca)

    def _look_again(self) -> None:
        self._guard.look_again()
        if self.listener.certificates and self._withdrawals != self._access.withdrawals:
            self._withdrawals = self._access.withdrawals
            self._renewal = asyncio.ensure_future(self._renew(self._renewal))

    async def _renew(self, before: asyncio.Task[None] | None) -> None:
        """Open the socket again, and end what was let in before."""
        if before is not None:
            await asyncio.gather(before, return_exceptions=True)
        log.warning("authority withdrawn", address=self.address)
        self._guard.leave()
        old = self._server
        self._leaving.add(old)
        left = asyncio.ensure_future(old.stop(WITHDRAWAL_GRACE_S))
        left.add_done_callback(lambda _: self._leaving.discard(old))
        while True:
            await asyncio.sleep(0)  # the old server releases the address
            self._guard, self._server = self._make()
            try:
                self._bind()
            except RuntimeError as error:
                log.error("cannot listen again", address=self.address, error=str(error))
                await asyncio.sleep(REBIND_S)
            else:
                await self._server.start()
                return
