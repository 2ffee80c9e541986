"""The pages for Prometheus and probes, on a listener of their own."""

from __future__ import annotations

from collections.abc import Callable

from spanserve.doors.access import Access
from spanserve.doors.http import health
from spanserve.doors.http.health import Health
from spanserve.doors.http.server import Server, pages_server
from spanserve.worker.settings import Settings


class Pages:
    """`/metrics`, `/livez` and `/readyz`; does nothing where the settings name no listener.

    Args:
        ready: whether the worker serves.
        metrics: in the text format of Prometheus.
    """

    def __init__(
        self, settings: Settings, access: Access, ready: Callable[[], bool], metrics: Callable[[], bytes]
    ) -> None:
        self._settings = settings
        self._access = access
        self._operations = [
            health.metrics(metrics),
            health.probe("/livez", health.alive, "Whether the process is alive"),
            health.probe("/readyz", lambda: Health(good=ready()), "Whether the worker serves"),
        ]
        self._server: Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: the address cannot be bound.
        """
        listener = self._settings.metrics_listen
        if listener is None:
            return
        self._access.report()
        self._server = pages_server(listener, self._access, self._operations, self._settings.http.hosts)
        await self._server.start()

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            await self._server.close()
