"""The one place where kinds of errors become gRPC statuses."""

from __future__ import annotations

from typing import Any

import grpc
from grpc import aio

from spanserve.contract import ErrorCode, Refusal

STATUS = {
    ErrorCode.INVALID_ARGUMENT: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorCode.OUT_OF_RANGE: grpc.StatusCode.OUT_OF_RANGE,
    ErrorCode.RESOURCE_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorCode.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    ErrorCode.ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    ErrorCode.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
    ErrorCode.CANCELLED: grpc.StatusCode.CANCELLED,
    ErrorCode.POISON: grpc.StatusCode.ABORTED,
    ErrorCode.INTERNAL: grpc.StatusCode.INTERNAL,
    ErrorCode.RESULT_EXPIRED: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorCode.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
}


async def abort(context: aio.ServicerContext[Any, Any], refusal: Refusal) -> None:
    """End a call with a refusal: its sentence and its status, and the whole of it in trailing metadata."""
    details = refusal.to_proto().SerializeToString()
    await context.abort(STATUS[refusal.code], str(refusal), (("spanserve-error-bin", details),))
