"""The HTTP door: it listens while the model loads, so that probes and the page answer at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog
from starlette.responses import Response

from spanserve.contract import ErrorCode, Refusal
from spanserve.doors.calls import Calls
from spanserve.doors.door import Inside
from spanserve.doors.http import health, openapi, page
from spanserve.doors.http.answer import Answers
from spanserve.doors.http.figures import Figures
from spanserve.doors.http.health import Health
from spanserve.doors.http.hosts import Hosts
from spanserve.doors.http.oip.operations import InferenceOperations
from spanserve.doors.http.operation import Call, Operation
from spanserve.doors.http.server import Server
from spanserve.doors.http.settings import HttpSettings
from spanserve.doors.http.status import status

log = structlog.get_logger(__name__)


class HttpDoor:
    """All that a worker says and does over HTTP, on every listener.

    `addresses` are the real ones after `check`.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(
        self, inside: Inside, settings: HttpSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._calls = Calls(inside)
        self._answers = Answers(inside, self._calls)
        figures = Figures(clock)
        inside.engine.observers.add(figures)
        operations = described(inside, self._calls, self._answers.operations(), figures, self._ready)
        self._servers = [
            Server(listener, inside.access, operations, Hosts(listener, settings.hosts))
            for listener in settings.listen
        ]

    @property
    def addresses(self) -> list[str]:
        return [server.address for server in self._servers]

    @property
    def address(self) -> str:
        """The first."""
        return self.addresses[0]

    async def check(self) -> None:
        for server in self._servers:
            await server.start()
            log.info("listening", door="http", address=server.address, scheme=server.listener.scheme)

    def start(self) -> None:
        """Nothing to do: the state of the worker lets calls in."""

    def give_back(self) -> None:
        """Nothing to do: a result goes the way its task came, so tasks wait until the device is back."""

    async def drain(self) -> None:
        """Report not ready, so that balancers look elsewhere while calls are still served; then take no more."""
        self._calls.leave()
        try:
            await asyncio.sleep(self._settings.drain_delay_s)
        finally:  # a drain that is cut short takes no more either
            self._calls.drain()
            self._answers.drain()
            for server in self._servers:
                server.hurry()

    async def close(self, reason: str) -> None:
        """Give open requests a moment, and stop listening."""
        self._calls.drain()
        self._answers.drain()
        await asyncio.gather(*(server.close() for server in self._servers))

    def _ready(self) -> Health:
        return Health(good=self._calls.ready)


def described(
    inside: Inside,
    calls: Calls,
    answers: Sequence[Operation],
    figures: Figures,
    ready: Callable[[], Health],
) -> list[Operation]:
    """All that can be asked for: a new router is a line here, and its paths are lines in `ROLES`."""
    found = [
        *(_refusing(one, calls) for one in (*answers, *InferenceOperations(inside, calls).operations())),
        status(inside, figures, lambda: calls.state),
        health.probe("/livez", health.alive, "Whether the process is alive"),
        health.probe("/readyz", ready, "Whether the worker serves"),
        health.metrics(inside.metrics),
        *page.operations(),
    ]
    return [*found, openapi.served(found)]


def _refusing(operation: Operation, calls: Calls) -> Operation:
    """The operation; what it refuses because there is no room it refuses after a moment."""

    async def handle(call: Call) -> Response:
        try:
            return await operation.handle(call)
        except Refusal as error:
            refusal = error.with_traceback(None)  # the frames hold the request
        if refusal.code is ErrorCode.RESOURCE_EXHAUSTED:
            await calls.hold_back()
        try:
            raise refusal
        finally:
            del refusal  # which holds this frame

    return replace(operation, handle=handle)
