"""The state of a worker's card: read while it lives, for Prometheus."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import structlog

from spanserve.device import DeviceSpec, read_environment
from spanserve.device.telemetry import CardWatch, NotRead, Reading
from spanserve.worker.settings import Settings

log = structlog.get_logger(__name__)

#: Seconds between two readings: as often as Prometheus asks by default, or oftener.
EVERY_S = 15.0


def watch_card(settings: Settings, told: Callable[[Reading | None], object]) -> CardWatch | None:
    """What reads the card, not started; None where the device says nothing of itself.

    Args:
        told: of every reading; of None while nothing is known. The log says why, once.

    Raises:
        DeviceError: the file with the variables of the device host cannot be read.
    """
    spec = DeviceSpec.parse(settings.device)
    if spec.kind.telemetry is None or not settings.cnmon:
        return None
    environment = {**os.environ, **(read_environment(settings.device_env) if settings.device_env else {})}
    read = partial(spec.kind.telemetry, spec, environment, settings.cnmon)
    return CardWatch(read, _Teller(told), EVERY_S)


class _Teller:
    """Tells readings, and logs when they begin or cease."""

    def __init__(self, told: Callable[[Reading | None], object]) -> None:
        self._told = told
        #: Why it cannot be read; None while it is; empty before the first time.
        self._why: str | None = ""

    def __call__(self, found: Reading | NotRead) -> None:
        if isinstance(found, Reading):
            self._told(found)
            if self._why is not None:
                log.info("card read", card=found.card, model=found.model)
            self._why = None
            return
        self._told(None)
        if str(found) != self._why:
            log.warning("card not read", error=str(found))
        self._why = str(found)
