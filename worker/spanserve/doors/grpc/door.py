"""The gRPC door: it listens while the model loads, so that health and Describe answer at once."""

from __future__ import annotations

import asyncio

import structlog

from spanserve.doors.door import Inside
from spanserve.doors.grpc.reads import BoundedReads, Reads
from spanserve.doors.grpc.server import Server
from spanserve.doors.grpc.service import Service
from spanserve.doors.grpc.settings import GrpcSettings
from spanserve.engine.observer import Observer
from spanserve.engine.state import State

#: Seconds that open calls get once nothing is held any more.
STOP_GRACE_S = 1.0

log = structlog.get_logger(__name__)


class GrpcDoor(Observer):
    """`spanserve.v1.QuestionAnswering` and health on one address.

    `address` holds the real one after `check`.
    """

    def __init__(self, inside: Inside, settings: GrpcSettings) -> None:
        status = inside.status()
        self._inside = inside
        self._settings = settings
        reads = Reads()
        self._service = Service(inside, reads)
        interceptor = BoundedReads(reads, inside.engine.observers)
        model = f"model/{status.model}@{status.model_digest}"
        self._server = Server(self._service, settings, model, interceptors=(interceptor,))
        self._health: asyncio.Task[None] | None = None
        self._listening = False
        inside.engine.observers.add(self)

    @property
    def address(self) -> str:
        return self._server.address

    async def check(self) -> None:
        await self._server.start()
        self._listening = True
        status = self._inside.status()
        log.info("listening", address=self.address, device=status.device, bundle=status.model)

    def start(self) -> None:
        """Nothing to do: the state of the worker lets calls in."""

    def give_back(self) -> None:
        """Nothing to do: a result goes the way its task came, so tasks wait until the device is back."""

    def state_changed(self, state: State, reason: str) -> None:
        """Health follows the state."""
        if self._listening:
            self._health = asyncio.ensure_future(self._server.set_serving(state is State.READY))

    async def drain(self) -> None:
        """Say NOT_SERVING, so that balancers look elsewhere while calls are still served; then take no more."""
        await self._server.enter_graceful_shutdown()
        await asyncio.sleep(self._settings.drain_delay_s)
        self._service.drain()

    async def close(self, reason: str) -> None:
        """End every stream, give open calls a moment, and listen no more."""
        self._service.end(reason)
        await self._server.stop(STOP_GRACE_S if self._listening else 0)
