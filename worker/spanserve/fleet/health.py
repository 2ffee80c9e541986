"""gRPC health of the fleet: SERVING while at least one worker serves."""

from __future__ import annotations

from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from spanserve.contract.errors import SettingsError
from spanserve.doors.grpc.server import LIVE, OPTIONS, server_credentials
from spanserve.doors.grpc.service import SERVICE_NAME
from spanserve.doors.grpc.settings import GrpcSettings


class FleetHealth:
    """Answers `grpc.health.v1` for the fleet.

    Args:
        address: HOST:PORT.
        settings: of the workers, whose TLS files it uses.
    """

    def __init__(self, address: str, settings: GrpcSettings) -> None:
        self._address = address
        self._settings = settings
        self._health = health.aio.HealthServicer()
        self._server = aio.server(options=OPTIONS)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    async def start(self) -> None:
        """Listen; NOT_SERVING until `set_serving`.

        Raises:
            SettingsError: the address cannot be bound, or a TLS file cannot be read.
        """
        await self.set_serving(False)
        await self._health.set(LIVE, health_pb2.HealthCheckResponse.SERVING)
        try:
            if self._settings.tls_cert is None:
                self._server.add_insecure_port(self._address)
            else:
                self._server.add_secure_port(self._address, server_credentials(self._settings))
        except RuntimeError as error:
            raise SettingsError(f"health is {self._address}: cannot listen there: {error}") from None
        await self._server.start()

    async def set_serving(self, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        for name in ("", SERVICE_NAME):
            await self._health.set(name, status.SERVING if serving else status.NOT_SERVING)

    async def close(self) -> None:
        """Listen no more."""
        await self._server.stop(0)
