"""The gRPC door: it listens while the model loads, so that health and Describe answer at once."""

from __future__ import annotations

import asyncio

import structlog

from spanserve.doors.calls import Calls
from spanserve.doors.door import Inside
from spanserve.doors.grpc.health import HealthService
from spanserve.doors.grpc.oip import messages as oip
from spanserve.doors.grpc.oip.service import InferenceService
from spanserve.doors.grpc.reads import Reads
from spanserve.doors.grpc.server import Server
from spanserve.doors.grpc.service import SERVICE_NAME, Service
from spanserve.doors.grpc.settings import GrpcSettings
from spanserve.engine.observer import Observer
from spanserve.engine.state import State

#: Seconds that open calls get once nothing is held any more.
STOP_GRACE_S = 1.0

log = structlog.get_logger(__name__)


class GrpcDoor(Observer):
    """`spanserve.v1.QuestionAnswering`, `inference.GRPCInferenceService` and health on every listener.

    `addresses` are the real ones after `check`.
    """

    def __init__(self, inside: Inside, settings: GrpcSettings) -> None:
        status = inside.status()
        self._inside = inside
        self._settings = settings
        reads = Reads()
        self._calls = Calls(inside)
        self._service = Service(inside, self._calls, reads)
        inference = InferenceService(inside, self._calls)
        services = (SERVICE_NAME, oip.SERVICE_NAME)
        self._health = HealthService(*services, f"model/{status.model}@{status.model_digest}")
        reflected = services if settings.reflection else ()
        self._servers = [
            Server(
                listener,
                inside.access,
                (self._service.handler(), inference.handler()),
                self._health.servicer,
                reads,
                inside.engine.observers,
                reflected=reflected,
            )
            for listener in settings.listen
        ]
        self._telling: asyncio.Task[None] | None = None
        self._listening = False
        inside.engine.observers.add(self)

    @property
    def addresses(self) -> list[str]:
        return [server.address for server in self._servers]

    @property
    def address(self) -> str:
        """The first."""
        return self.addresses[0]

    async def check(self) -> None:
        await self._health.set_serving(False)
        self._listening = True
        status = self._inside.status()
        for server in self._servers:
            await server.start()
            log.info(
                "listening",
                address=server.address,
                scheme=server.listener.scheme,
                device=status.device,
                bundle=status.model,
            )

    def start(self) -> None:
        """Nothing to do: the state of the worker lets calls in."""

    def give_back(self) -> None:
        """Nothing to do: a result goes the way its task came, so tasks wait until the device is back."""

    def state_changed(self, state: State, reason: str) -> None:
        """Health follows the state."""
        if self._listening:
            self._telling = asyncio.ensure_future(self._health.set_serving(state is State.READY))

    async def drain(self) -> None:
        """Report NOT_SERVING, so that balancers look elsewhere while calls are still served; then take no more."""
        self._calls.leave()
        try:
            await self._health.servicer.enter_graceful_shutdown()
            await asyncio.sleep(self._settings.drain_delay_s)
        finally:  # a drain that is cut short takes no more either
            self._calls.drain()
            self._service.drain()

    async def close(self, reason: str) -> None:
        """End every stream, give open calls a moment, and stop listening."""
        self._service.end(reason)
        grace_s = STOP_GRACE_S if self._listening else 0
        await asyncio.gather(*(server.stop(grace_s) for server in self._servers))
