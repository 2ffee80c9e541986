"""Requests on their way in: gRPC shows a message only once it is complete, so incomplete ones are bounded here.

Each read may make gRPC hold a message's bytes. A read has a deadline, a short one where many are pending; and at the
limit whoever has most of them pending loses its oldest to a newcomer that has fewer. Refusing a call also takes
time, in which all others wait: so a connection whose calls fail again and again has to wait with its next ones.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc import aio

from spanserve.doors.grpc.observer import StreamObserver
from spanserve.doors.grpc.places import NoPlace, Places
from spanserve.doors.grpc.trust import Trust
from spanserve.doors.grpc.violation import ProtocolViolation
from spanserve.engine.observer import Observers

#: Seconds that a client has for its first message, from when its call arrives.
READ_S = 10.0
#: The same, while more than `READS_AT_EASE` are pending.
HURRIED_READ_S = 1.0
READS_AT_EASE = 32
#: Reads pending at a time: each may hold the largest message.
MAX_READS = 128
#: Calls of connections without trust that wait: each may hold what gRPC takes ahead of a read, 64 KiB.
MAX_HELD = 2048
#: Calls of a connection that may come to nothing at once, and a second.
CALLS_IN_VAIN = 16
CALLS_IN_VAIN_PER_S = 10
#: The same for items of frames that are refused, and for frames that bring nothing.
ITEMS_IN_VAIN = 1024
ITEMS_IN_VAIN_PER_S = 1000

_Call = Callable[[Any, aio.ServicerContext[Any, Any]], Any]


class Reads:
    """Bounds the reads that are pending.

    Args:
        clock: seconds, monotonic.

    Attributes:
        calls: trust in connections not to waste calls.
        items: the same, for what streams send.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._pending = Places(MAX_READS)
        self._doubtful = Places(READS_AT_EASE)  # of connections without trust
        self._held = Places(MAX_HELD)
        self.calls = Trust(CALLS_IN_VAIN, CALLS_IN_VAIN_PER_S, clock)
        self.items = Trust(ITEMS_IN_VAIN, ITEMS_IN_VAIN_PER_S, clock)

    def __len__(self) -> int:
        return len(self._pending) + len(self._doubtful)

    async def turn(self, connection: str) -> None:
        """Wait until a call of this connection may be handled: at once, unless earlier ones were wasted.

        Raises:
            ProtocolViolation: too many wait.
        """
        pause_s = self.calls.pause_s(connection)
        if not pause_s:
            return
        never = asyncio.get_running_loop().create_future()
        try:
            async with self._held.take(connection, pause_s):
                await never
        except NoPlace:
            raise _too_many() from None
        except TimeoutError:
            pass  # its time has come

    @asynccontextmanager
    async def one(self, connection: str) -> AsyncIterator[None]:
        """Read inside.

        Raises:
            ProtocolViolation: too many are pending, or this one took too long.
        """
        time_s = READ_S if len(self) < READS_AT_EASE else HURRIED_READ_S
        places = self._doubtful if self.calls.is_lost(connection) else self._pending
        try:
            async with places.take(connection, time_s):
                yield
        except NoPlace:
            raise _too_many() from None
        except TimeoutError:
            raise ProtocolViolation(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                "the first message did not arrive in time",
                cause="no_message",
            ) from None


def _too_many() -> ProtocolViolation:
    return ProtocolViolation(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "too many requests are being received", cause="reads"
    )


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
        connection = context.peer()
        try:
            await self._reads.turn(connection)
            async with self._reads.one(connection):
                request = await anext(requests, None)
        except asyncio.CancelledError:
            self._reads.calls.lose(connection)
            raise
        except ProtocolViolation as violation:
            self._reads.calls.lose(connection)
            self._observers.tell(StreamObserver.call_ended, violation.cause)
            await context.abort(violation.status, str(violation))
            raise AssertionError("abort does not return") from violation
        if request is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a call needs a request")
        return request
