"""gRPC health: whether it serves, by the names that callers ask for."""

from __future__ import annotations

from grpc_health.v1 import health, health_pb2

#: Health of this name says that the process is alive, whatever the device, the model and Redis do: for liveness probes.
LIVE = "live"


class HealthService:
    """The state that all servers report.

    Args:
        names: that are asked for besides the empty one.
    """

    def __init__(self, *names: str) -> None:
        self.servicer = health.aio.HealthServicer()
        self._names = ("", *names)

    async def set_serving(self, serving: bool) -> None:
        """Report it under every name; `live` is serving from the first call on."""
        status = health_pb2.HealthCheckResponse
        await self.servicer.set(LIVE, status.SERVING)
        for name in self._names:
            await self.servicer.set(name, status.SERVING if serving else status.NOT_SERVING)
