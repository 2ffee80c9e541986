"""What supervisors and Prometheus ask for: `/livez`, `/readyz`, `/metrics`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from spanserve.doors.http.operation import Call, Operation

TEXT = "text/plain"
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether all is well, in one bit that anyone may see.

    Attributes:
        details: for those who may observe.
    """

    good: bool
    details: Mapping[str, Any] | None = None


def probe(path: str, look: Callable[[], Health], summary: str) -> Operation:
    """An open page that says 200 or 503."""

    async def handle(call: Call) -> Response:
        found = look()
        status = HTTPStatus.OK if found.good else HTTPStatus.SERVICE_UNAVAILABLE
        if found.details is not None and call.observes:
            return Response(json.dumps(found.details, indent=1) + "\n", status, media_type="application/json")
        return Response(f"{status.phrase}\n", status, media_type=_PLAIN)

    return Operation(
        path=path, handle=handle, summary=summary, answers={200: {TEXT: None}, 503: {TEXT: None}}
    )


def alive() -> Health:
    """The loop turns: otherwise there would be no answer."""
    return Health(good=True)


def metrics(exposition: Callable[[], bytes]) -> Operation:
    """The page for Prometheus."""

    async def handle(call: Call) -> Response:
        return Response(exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Operation(
        path="/metrics", handle=handle, summary="Metrics for Prometheus", answers={200: {TEXT: None}}
    )
