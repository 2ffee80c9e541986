"""The unary call by hand: any bytes in, a result or a typed error out."""

from __future__ import annotations

import grpc
from grpc import aio

from spanserve.contract import ErrorCode, Refusal, TaskResult
from spanserve.v1 import task_pb2, worker_pb2
from tests.kit.wire import raw_answer

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


def typed(error: aio.AioRpcError) -> Refusal:
    """The error in the trailing metadata."""
    values = dict(error.trailing_metadata() or ())
    details = values["spanserve-error-bin"]
    assert isinstance(details, bytes)
    return Refusal.from_proto(task_pb2.Error.FromString(details))


def request_of(task: task_pb2.Task) -> bytes:
    return worker_pb2.AnswerRequest(task=task).SerializeToString()


async def outcome(channel: aio.Channel, request: bytes) -> TaskResult | Refusal:
    """The result of a call, or the typed error, whose status is that of its kind."""
    try:
        return await raw_answer(channel, request)
    except aio.AioRpcError as error:
        refusal = typed(error)
        status = error.code()
    assert STATUS[refusal.code] is status
    return refusal
