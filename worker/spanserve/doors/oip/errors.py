"""Errors that the protocol has and a task does not."""

from __future__ import annotations

from spanserve.contract.errors import SpanserveError


class NotFound(SpanserveError):
    """There is no such model, or no such version of it. NOT_FOUND over gRPC, 404 over HTTP."""
