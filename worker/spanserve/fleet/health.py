"""gRPC health of the fleet: SERVING while at least one worker serves."""

from __future__ import annotations

from spanserve.contract.errors import SettingsError
from spanserve.doors.access import Access
from spanserve.doors.grpc.health import HealthService
from spanserve.doors.grpc.reads import Reads
from spanserve.doors.grpc.server import Server
from spanserve.doors.grpc.service import SERVICE_NAME
from spanserve.doors.listener import Listener
from spanserve.engine.observer import Observers


class FleetHealth:
    """Answers `grpc.health.v1` for the fleet."""

    def __init__(self, listener: Listener, access: Access) -> None:
        self._health = HealthService(SERVICE_NAME)
        self._server = Server(listener, access, (), self._health.servicer, Reads(), Observers())

    async def start(self) -> None:
        """Listen; NOT_SERVING until `set_serving`.

        Raises:
            SettingsError: the address cannot be bound.
        """
        await self._health.set_serving(False)
        try:
            await self._server.start()
        except SettingsError as error:
            raise SettingsError(f"health is {self._server.address}: {error}") from None

    async def set_serving(self, serving: bool) -> None:
        await self._health.set_serving(serving)

    async def close(self) -> None:
        """Stop listening."""
        await self._server.stop(0)
