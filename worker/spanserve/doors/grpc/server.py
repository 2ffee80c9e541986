"""The gRPC server around the service: options, health, credentials, reflection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from spanserve.contract.errors import SettingsError
from spanserve.contract.limits import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES
from spanserve.doors.grpc.service import SERVICE_NAME, Service
from spanserve.doors.grpc.settings import GrpcSettings

#: Health of this name says that the process moves, whatever the device, the model and Redis do: for liveness probes.
LIVE = "live"
#: Bytes of a message beyond the largest frame: tags and numbers of frames.
FRAME_MARGIN = 4096
#: Calls one connection may have open.
MAX_CALLS = 128
#: Connections of all clients; one more is closed at once.
MAX_CONNECTIONS = 512
#: Milliseconds until a connection must speak HTTP/2, and after which one without a call is closed.
HANDSHAKE_MS = 10_000
IDLE_CONNECTION_MS = 300_000

OPTIONS = (
    # A frame is told from one that is too large by the service; this much more is not even held.
    ("grpc.max_receive_message_length", MAX_FRAME_BYTES + FRAME_MARGIN),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", MAX_CALLS),
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    ("grpc.max_connection_idle_ms", IDLE_CONNECTION_MS),
    ("grpc.http2.bdp_probe", 0),  # it would let every stream send megabytes ahead of what is read
    ("grpc.so_reuseport", 0),  # a second worker on the same port must fail, not share it
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
)


class Server:
    """Listens on one address. `address` holds the real one after `start`."""

    def __init__(
        self,
        service: Service,
        settings: GrpcSettings,
        model_name: str,
        interceptors: Sequence[aio.ServerInterceptor] = (),
    ) -> None:
        self._settings = settings
        self._names = ("", SERVICE_NAME, model_name)
        self._health = health.aio.HealthServicer()
        self._server = aio.server(options=OPTIONS, interceptors=interceptors)
        self._server.add_generic_rpc_handlers((service.handler(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.address = settings.listen

    async def start(self) -> None:
        """Bind and listen; health says NOT_SERVING until `set_serving`.

        Raises:
            SettingsError: the address is in use or cannot be bound.
        """
        await self.set_serving(False)
        await self._health.set(LIVE, health_pb2.HealthCheckResponse.SERVING)
        if self._settings.reflection:
            from grpc_reflection.v1alpha import reflection

            reflection.enable_server_reflection((SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        listen = self._settings.listen
        try:
            if self._settings.tls_cert is None:
                port = self._server.add_insecure_port(listen)
            else:
                port = self._server.add_secure_port(listen, server_credentials(self._settings))
        except RuntimeError as error:
            raise SettingsError(f"cannot listen on {listen}: {error}") from None
        if not listen.startswith("unix:"):
            self.address = f"{listen.rpartition(':')[0]}:{port}"
        await self._server.start()

    async def set_serving(self, serving: bool) -> None:
        status = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in self._names:
            await self._health.set(name, status)

    async def enter_graceful_shutdown(self) -> None:
        """Say NOT_SERVING from now on, whatever is set later."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float) -> None:
        await self._server.stop(grace_s)


def server_credentials(settings: GrpcSettings) -> grpc.ServerCredentials:
    """Those of the TLS files in the settings.

    Raises:
        SettingsError: a file cannot be read.
    """
    assert settings.tls_key is not None
    assert settings.tls_cert is not None
    client_ca = _read(settings.tls_client_ca) if settings.tls_client_ca else None
    return grpc.ssl_server_credentials(
        [(_read(settings.tls_key), _read(settings.tls_cert))],
        root_certificates=client_ca,
        require_client_auth=client_ca is not None,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
