"""Requests on their way in: gRPC shows a message only when it is whole, so what is not whole yet is bounded here.

Each read may make gRPC hold a message's bytes. A read has a deadline, a short one where many are pending; and at the
limit whoever has most of them pending loses its oldest to a newcomer that has fewer.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc import aio

from spanserve.doors.grpc.observer import StreamObserver
from spanserve.doors.grpc.violation import ProtocolViolation
from spanserve.engine.observer import Observers

#: Seconds that a client has for its first message, from when its call arrives.
READ_S = 10.0
#: The same, while more than `READS_AT_EASE` are pending.
HURRIED_READ_S = 1.0
READS_AT_EASE = 32
#: Reads pending at a time: each may hold the largest message.
MAX_READS = 128

_Call = Callable[[Any, aio.ServicerContext[Any, Any]], Any]


class Reads:
    """Bounds the reads that are pending."""

    def __init__(self) -> None:
        self._pending: dict[str, dict[asyncio.Timeout, None]] = {}  # by connection, the oldest first
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @asynccontextmanager
    async def one(self, connection: str) -> AsyncIterator[None]:
        """Read inside.

        Raises:
            ProtocolViolation: too many are pending, or this one took too long.
        """
        if self._count >= MAX_READS and not self._make_room(connection):
            raise ProtocolViolation(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "too many requests are on their way in", cause="reads"
            )
        timeout = asyncio.timeout(READ_S if self._count < READS_AT_EASE else HURRIED_READ_S)
        self._count += 1
        own = self._pending.setdefault(connection, {})
        own[timeout] = None
        try:
            async with timeout:
                yield
        except TimeoutError:
            if not timeout.expired():
                raise
            raise ProtocolViolation(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                "the first message did not come in time",
                cause="no_message",
            ) from None
        finally:
            self._count -= 1
            del own[timeout]
            if not own and self._pending.get(connection) is own:
                del self._pending[connection]

    def _make_room(self, connection: str) -> bool:
        most = max(self._pending.values(), key=len)
        if len(most) <= len(self._pending.get(connection, ())) + 1:
            return False
        oldest = next((timeout for timeout in most if not timeout.expired()), None)
        if oldest is not None:
            oldest.reschedule(asyncio.get_running_loop().time())
        return oldest is not None


class BoundedReads(aio.ServerInterceptor):
    """Serves calls with one request as if they were streams of one: so their read can be given up.

    On the wire nothing is different.
    """

    def __init__(self, reads: Reads, observers: Observers) -> None:
        self._reads = reads
        self._observers = observers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler: Any = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler  # type: ignore[no-any-return] # as it came
        coders = handler.request_deserializer, handler.response_serializer
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(self._many(handler.unary_stream), *coders)
        return grpc.stream_unary_rpc_method_handler(self._one(handler.unary_unary), *coders)

    def _one(self, call: _Call) -> _Call:
        async def serve(requests: AsyncIterator[Any], context: aio.ServicerContext[Any, Any]) -> Any:
            return await call(await self._request(requests, context), context)

        return serve

    def _many(self, call: _Call) -> _Call:
        async def serve(requests: AsyncIterator[Any], context: aio.ServicerContext[Any, Any]) -> None:
            responses = call(await self._request(requests, context), context)
            if inspect.isawaitable(responses):  # it writes by itself
                await responses
                return
            async for response in responses:
                await context.write(response)

        return serve

    async def _request(self, requests: AsyncIterator[Any], context: aio.ServicerContext[Any, Any]) -> Any:
        try:
            async with self._reads.one(context.peer()):
                request = await anext(requests, None)
        except ProtocolViolation as violation:
            self._observers.tell(StreamObserver.call_ended, violation.cause)
            await context.abort(violation.status, str(violation))
            raise AssertionError("abort does not return") from violation
        if request is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a call needs a request")
        return request
