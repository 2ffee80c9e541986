"""The one place where kinds of errors become gRPC statuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from grpc import aio

from spanserve.contract import ErrorCode, Refusal
from spanserve.doors.calls import Calls

AnswerT = TypeVar("AnswerT")
Context = aio.ServicerContext[Any, Any]
Method = Callable[[bytes, Context], Awaitable[AnswerT]]

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


def refusing(method: Method[AnswerT], calls: Calls) -> Method[AnswerT | None]:
    """The handler of a single call; a refusal that it raises ends the call, after a moment where there is no room.

    Not by `context.abort`: what gRPC's own exception holds goes only when the garbage collector finds it.
    """

    async def call(data: bytes, context: Context) -> AnswerT | None:
        try:
            return await method(data, context)
        except Refusal as error:
            refusal = error.with_traceback(None)  # the frames hold the request
        if refusal.code is ErrorCode.RESOURCE_EXHAUSTED:
            del data
            await calls.hold_back()
        _refuse(context, refusal)
        return None

    return call


def _refuse(context: Context, refusal: Refusal) -> None:
    """End a call: its sentence and its status, and the whole of it in trailing metadata."""
    context.set_code(STATUS[refusal.code])
    context.set_details(str(refusal))
    context.set_trailing_metadata((("spanserve-error-bin", refusal.to_proto().SerializeToString()),))
