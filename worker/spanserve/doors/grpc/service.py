"""The gRPC door: `spanserve.v1.QuestionAnswering` on top of the engine."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from spanserve.contract import Refusal, Task
from spanserve.contract.limits import ANSWER_TIMEOUT_MS
from spanserve.contract.trace import TraceContext
from spanserve.doors.calls import Calls
from spanserve.doors.door import Inside
from spanserve.doors.grpc.crowd import Crowd
from spanserve.doors.grpc.guard import current_call, identity_of
from spanserve.doors.grpc.observer import StreamObserver
from spanserve.doors.grpc.reads import Reads
from spanserve.doors.grpc.status import Context, refusing
from spanserve.doors.grpc.stream import WorkStream
from spanserve.doors.grpc.violation import ProtocolViolation
from spanserve.engine.admission import Caller
from spanserve.engine.origin import Origin
from spanserve.engine.state import State
from spanserve.v1 import worker_pb2 as pb

SERVICE_NAME = "spanserve.v1.QuestionAnswering"


class Service:
    """Handles the calls. The engine exists from the start; its state says whether it serves."""

    def __init__(self, inside: Inside, calls: Calls, reads: Reads) -> None:
        self._inside = inside
        self._engine = inside.engine
        self._calls = calls
        self._reads = reads
        self._streams: Crowd[WorkStream] = Crowd()

    @property
    def open_streams(self) -> int:
        return len(self._streams)

    def handler(self) -> grpc.GenericRpcHandler:
        """The handlers. `Answer` and `Work` take raw bytes: what cannot be parsed is refused like any input."""
        return grpc.method_handlers_generic_handler(
            SERVICE_NAME,
            {
                "Answer": grpc.unary_unary_rpc_method_handler(
                    refusing(self._answer, self._calls), None, pb.AnswerResponse.SerializeToString
                ),
                "Work": grpc.stream_stream_rpc_method_handler(
                    self._work, None, pb.ServerFrame.SerializeToString
                ),
                "Describe": grpc.unary_unary_rpc_method_handler(
                    self._describe, pb.DescribeRequest.FromString, pb.DescribeResponse.SerializeToString
                ),
            },
        )

    def drain(self) -> None:
        """Ask every client to send no more; results of what is held still go out."""
        for stream in self._streams:
            stream.drain()

    def end(self, reason: str) -> None:
        """End every stream, whatever is still in flight."""
        for stream in self._streams:
            stream.end(reason)

    async def _answer(self, data: bytes, context: Context) -> pb.AnswerResponse:
        identity = identity_of(context)
        with self._calls.enter(identity, context.peer()) as account:
            request = _parse(data)
            if not request.task.HasField("timeout_ms"):
                request.task.timeout_ms = ANSWER_TIMEOUT_MS
            task = identity.own(Task.from_proto(request.task))
            origin = Origin(trace=TraceContext.among(context.invocation_metadata() or ()))
            (result,) = await self._inside.admission.call(account, [task], origin)
            if result.shared_error is not None:  # it is the task's
                raise result.shared_error
        return pb.AnswerResponse(result=result.to_proto())

    async def _work(
        self, frames: AsyncIterator[bytes], context: aio.ServicerContext[bytes, pb.ServerFrame]
    ) -> None:
        if self._calls.state not in (State.READY, State.RECOVERING):
            with contextlib.suppress(ProtocolViolation):
                async with self._reads.one(context.peer()):
                    await anext(frames, None)  # its Hello: a client that still writes would not learn why
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"the worker is {self._calls.state.value}")
        call = current_call()
        connection = context.peer()
        caller = Caller(call.identity.name, call.identity.weight, connection, secrets.token_hex(8))
        stream = WorkStream(
            self._inside,
            frames,
            call.writer,
            caller=caller,
            reads=self._reads,
            own=lambda task: call.identity.own(task),
        )
        call.leave = stream.drain
        try:
            await self._reads.turn(connection)
            if not self._streams.enter(stream):
                raise ProtocolViolation(
                    grpc.StatusCode.RESOURCE_EXHAUSTED, "too many streams are open", cause="streams"
                )
            await stream.serve()
        except ProtocolViolation as violation:
            self._reads.calls.lose(connection)
            self._engine.observers.tell(StreamObserver.call_ended, violation.cause)
            await context.abort(violation.status, str(violation))
        except (asyncio.CancelledError, aio.InternalError):
            # The client has gone; raised out of a handler this would disturb the server.
            if not stream.useful:
                self._reads.calls.lose(connection)
        finally:
            self._streams.leave(stream)

    async def _describe(
        self, request: pb.DescribeRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.DescribeResponse:
        return self._inside.status().to_proto()


def _parse(data: bytes) -> pb.AnswerRequest:
    try:
        return pb.AnswerRequest.FromString(data)
    except DecodeError:
        raise Refusal.invalid("request", "not an AnswerRequest, or a text in it is not UTF-8") from None
