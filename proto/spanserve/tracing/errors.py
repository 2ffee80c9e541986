"""Why traces that were asked for cannot be exported."""

from __future__ import annotations

from spanserve.contract.errors import SpanserveError


class TracingError(SpanserveError):
    """Traces are asked for and cannot be exported. Nothing else depends on that."""
