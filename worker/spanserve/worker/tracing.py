"""Traces of a worker, where they are turned on."""

from __future__ import annotations

import os
from collections.abc import Mapping

import structlog

from spanserve.engine.observer import Observers
from spanserve.tracing import Provider, TracingError, asked_by

log = structlog.get_logger(__name__)


def begin_tracing(
    worker: str, observers: Observers, environment: Mapping[str, str] = os.environ
) -> Provider | None:
    """Let spans be made of what observers are told, if the environment asks for traces.

    A worker serves without them as well: where they cannot be exported, the log says why.

    Args:
        worker: its name.
        observers: get one more.

    Returns:
        What is to be closed at the end; None if there are no traces.
    """
    by = asked_by(environment)
    if not by:
        return None
    try:
        provider = Provider("spanserve-worker", {"service.instance.id": worker}, environment)
    except TracingError as error:
        log.warning("no traces", error=str(error))
        return None
    from spanserve.worker.traces import Traces  # needs what is only there now

    observers.add(Traces(provider.tracer()))
    log.info("traces", asked_by=by)
    return provider
