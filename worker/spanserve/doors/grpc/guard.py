"""The guard in front of every method of one server: puts the caller's identity on the call, or ends it.

A call that streams is checked again whenever the access list, the files or the time may have changed what its caller
may do; if it is no longer let in, it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from inspect import isasyncgenfunction
from typing import Any

import grpc
from grpc import aio

from spanserve.access import Role
from spanserve.doors.certificate import PeerCertificate, not_after, read_pem
from spanserve.doors.gate import Gate, Shown
from spanserve.doors.grpc.connections import Connections
from spanserve.doors.grpc.reads import Reads
from spanserve.doors.grpc.violation import ProtocolViolation
from spanserve.doors.identity import ROLES, Denied, Identity, NotAllowed, TooMany, Unidentified
from spanserve.doors.observer import (
    PERMISSION_DENIED,
    RATE_LIMITED,
    TOO_MANY_CONNECTIONS,
    UNAUTHENTICATED,
)
from spanserve.doors.rate import RateLimit

#: Seconds that a message under way to a client gets before its call ends without a reason.
LAST_WRITE_S = 1.0
#: Streams of one connection that only look on, at health or reflection: each takes some 30 KiB for as long as it likes.
MAX_LOOKING = 8
_Context = aio.ServicerContext[Any, Any]
#: A caller that is not let in: for observers, and in the words of gRPC.
_DENIALS = {
    Unidentified: (UNAUTHENTICATED, grpc.StatusCode.UNAUTHENTICATED),
    NotAllowed: (PERMISSION_DENIED, grpc.StatusCode.PERMISSION_DENIED),
    TooMany: (TOO_MANY_CONNECTIONS, grpc.StatusCode.RESOURCE_EXHAUSTED),
}


class Writer:
    """The writing half of a call.

    gRPC takes one operation at a time, and one whose waiting was cancelled is still under way: a status sent then would
    be refused, and the client would learn nothing. So whatever ends the call waits for `free` first.
    """

    def __init__(self, context: _Context) -> None:
        self._context = context
        self.free = asyncio.Lock()

    async def write(self, message: Any) -> None:
        async with self.free:
            await self._context.write(message)


class Call:
    """A call that was let in.

    Attributes:
        identity: of its caller, as of the last look.
        writer: its writing half, where it streams.
        leave: what asks its client to go elsewhere; the method that serves it may set it.
    """

    def __init__(self, method: str, shown: Shown, identity: Identity, context: _Context) -> None:
        self.method = method
        self.shown = shown
        self.identity = identity
        self.writer = Writer(context)
        self.leave: Callable[[], None] = lambda: None
        #: Why it is let in no more, once that is so.
        self.denied: asyncio.Future[Denied] = asyncio.get_running_loop().create_future()


_current: ContextVar[Call] = ContextVar("call")


def current_call() -> Call:
    """The call that is being served.

    Raises:
        LookupError: none that a guard has let in.
    """
    return _current.get()


def identity_of(_: _Context) -> Identity:
    """The caller in a context, as its server's guard has identified it."""
    return current_call().identity


class Guard(aio.ServerInterceptor):
    """The guard of one server.

    Args:
        reads: bounds what is read of calls that are not let in, too.
        connections: counts them by identity; None where they cannot be told apart.
    """

    def __init__(self, gate: Gate, reads: Reads, connections: Connections | None = None) -> None:
        self.gate = gate
        self._reads = reads
        self._connections = connections
        self._calls: set[Call] = set()
        self._open_calls = RateLimit()
        self._lookers: Counter[str] = Counter()  # by connection

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of the method, guarded; None where there is no such method."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None  # UNIMPLEMENTED
        method = handler_call_details.method
        metadata = handler_call_details.invocation_metadata or ()
        headers = tuple(str(value) for key, value in metadata if key == "authorization")
        if self.gate.is_open(method):
            return self._open(handler)
        return self._guarded(handler, method, headers)

    def look_again(self) -> None:
        """End the calls of callers that are no longer let in."""
        for call in tuple(self._calls):
            try:
                call.identity = self.gate.admit(call.method, call.shown)
            except Denied as denied:
                if not call.denied.done():
                    call.denied.set_result(denied)

    def leave(self) -> None:
        """Ask the clients of all calls to go elsewhere."""
        for call in tuple(self._calls):
            call.leave()

    def _open(self, handler: Any) -> grpc.RpcMethodHandler[Any, Any]:
        async def limited(request: Any, context: _Context) -> Any:
            if not self._open_calls.allow(context.peer()):
                self.gate.access.denied(RATE_LIMITED, self.gate.listener.scheme)
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "asked too often")
            return await serve(request, context)

        serve = handler.stream_unary or handler.unary_unary
        assert serve, "a call that is open to all gets one answer"
        make: Any = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        made: grpc.RpcMethodHandler[Any, Any] = make(
            limited, handler.request_deserializer, handler.response_serializer
        )
        return made

    def _guarded(
        self, handler: Any, method: str, headers: tuple[str, ...]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        def frames_of(request: Any) -> AsyncIterator[Any] | None:
            return request if handler.request_streaming else None

        if handler.response_streaming:
            serve = handler.stream_stream or handler.unary_stream
            make: Any = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )

            async def guarded(request: Any, context: _Context) -> Any:
                call = await self._admit(method, headers, context, frames_of(request))
                try:
                    with self._looking(call, context.peer()) as few:
                        if not few:
                            status = grpc.StatusCode.RESOURCE_EXHAUSTED
                            await context.abort(
                                status, f"a connection may have {MAX_LOOKING} such calls at a time"
                            )
                        await self._serve(call, serve, request, context)
                finally:
                    self._ended(context)

        else:
            serve = handler.stream_unary or handler.unary_unary
            make = (
                grpc.stream_unary_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_unary_rpc_method_handler
            )

            async def guarded(request: Any, context: _Context) -> Any:
                await self._admit(method, headers, context, frames_of(request))
                try:
                    return await serve(request, context)
                finally:
                    self._ended(context)

        made: grpc.RpcMethodHandler[Any, Any] = make(
            guarded, handler.request_deserializer, handler.response_serializer
        )
        return made

    async def _admit(
        self, method: str, headers: tuple[str, ...], context: _Context, frames: AsyncIterator[Any] | None
    ) -> Call:
        """Let a call in and put it into the task's context, or end it."""
        certificate = _certificate(context) if self.gate.listener.certificates else None
        shown = Shown(headers, certificate)
        try:
            call = Call(method, shown, self.gate.admit(method, shown), context)
            if self._connections and not self._connections.begin(context.peer(), call.identity.name):
                raise TooMany(f"{call.identity.name} has too many connections to this worker")
        except Denied as denied:
            await self._hear_out(context.peer(), frames)
            await self._deny(denied, context)
            raise AssertionError("abort does not return") from denied
        _current.set(call)
        return call

    def _ended(self, context: _Context) -> None:
        if self._connections:
            self._connections.end(context.peer())

    async def _hear_out(self, connection: str, frames: AsyncIterator[Any] | None) -> None:
        """Read what a client is still writing first: otherwise it would not learn why its call ends."""
        try:
            await self._reads.turn(connection)
            if frames is not None:
                async with self._reads.one(connection):
                    await anext(frames, None)
        except ProtocolViolation:
            pass  # its call ends anyway
        finally:
            self._reads.calls.lose(connection)

    async def _deny(self, denied: Denied, context: _Context) -> None:
        reason, status = _DENIALS[type(denied)]
        self.gate.access.denied(reason, self.gate.listener.scheme)
        await context.abort(status, str(denied))

    @contextlib.contextmanager
    def _looking(self, call: Call, connection: str) -> Iterator[bool]:
        """Count a stream that only looks on. Returns whether the connection has few of them."""
        if ROLES.get(call.method) is not Role.OBSERVE:
            yield True
            return
        self._lookers[connection] += 1
        try:
            yield self._lookers[connection] <= MAX_LOOKING
        finally:
            self._lookers[connection] -= 1
            if not self._lookers[connection]:
                del self._lookers[connection]

    async def _serve(self, call: Call, serve: Any, request: Any, context: _Context) -> None:
        """Serve a call that streams for as long as its caller is let in."""
        written = (
            _write_all(serve(request, context), call.writer)
            if isasyncgenfunction(serve)
            else serve(request, context)
        )
        serving = asyncio.ensure_future(written)
        self._calls.add(call)
        try:
            await asyncio.wait((serving, call.denied), return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                with contextlib.suppress(TimeoutError):  # of a client that does not read
                    async with asyncio.timeout(LAST_WRITE_S):
                        await call.writer.free.acquire()
            if serving.done():
                serving.result()
                return
            await _end(serving)
            await self._deny(call.denied.result(), context)
        except asyncio.CancelledError:  # the client has gone; out of a handler this would disturb the server
            await _end(serving)
        finally:
            self._calls.discard(call)


async def _write_all(messages: AsyncIterator[Any], writer: Writer) -> None:
    async for message in messages:
        await writer.write(message)


async def _end(serving: asyncio.Future[None]) -> None:
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


def _certificate(context: _Context) -> PeerCertificate | None:
    """What the client has shown in the handshake."""
    found = context.auth_context()
    (pem, *_) = (*found.get("x509_pem_cert", ()), b"")
    if not pem:
        return None
    names = tuple(name.decode(errors="replace") for name in found.get("x509_subject_alternative_name", ()))
    (common_name, *_) = (*found.get("x509_common_name", ()), b"")
    expires = not_after(read_pem(pem.decode("ascii"))[0])
    return PeerCertificate(names, common_name.decode(errors="replace"), expires)
