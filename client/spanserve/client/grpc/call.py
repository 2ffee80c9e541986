"""The wire to one worker: its `Work` streams, as a connection uses them.

`Dial` opens a gRPC channel, or whatever a test puts in its place: a connection speaks in frames and knows no
status codes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Protocol

import grpc
from grpc import aio

from spanserve.access import Token
from spanserve.client.grpc.addresses import Endpoint
from spanserve.client.grpc.channel import DENIED, Tls, open_channel, shown, stub_of
from spanserve.client.grpc.unreachable import why
from spanserve.v1 import worker_pb2 as pb


class StreamBroken(Exception):
    """The stream ended without a Bye, or never began. Says why, in a few words.

    Attributes:
        other_model: whether the worker serves another model than the Hello asked for.
        denied: whether it denies access.
    """

    def __init__(self, problem: str, *, other_model: bool = False, denied: bool = False) -> None:
        super().__init__(problem)
        self.other_model = other_model
        self.denied = denied


class WorkCall(Protocol):
    """One `Work` stream."""

    async def read(self) -> pb.ServerFrame:
        """The next frame.

        Raises:
            StreamBroken: there is none.
        """

    async def write(self, frame: pb.ClientFrame) -> None:
        """Write a frame. On a stream that has ended in order nothing happens: the reader learns why.

        Raises:
            StreamBroken: the stream has broken.
        """

    def cancel(self) -> None:
        """Cut the stream, if it has not ended."""


#: Begins a stream; it connects when it is first used.
Begin = Callable[[], WorkCall]
#: Opens the way to a worker for as long as the context lasts.
Dial = Callable[[Endpoint], AbstractAsyncContextManager[Begin]]


class GrpcWorkCall:
    """A stream over gRPC; see `WorkCall`."""

    def __init__(
        self,
        call: aio.StreamStreamCall[pb.ClientFrame, pb.ServerFrame],
        broken: Callable[[aio.AioRpcError], StreamBroken],
    ) -> None:
        self._call = call
        self._broken = broken

    async def read(self) -> pb.ServerFrame:
        """See `WorkCall`."""
        try:
            frame = await self._call.read()
        except aio.AioRpcError as error:
            raise self._broken(error) from None
        if isinstance(frame, pb.ServerFrame):
            return frame
        raise StreamBroken("the worker ended the stream without a goodbye message")

    async def write(self, frame: pb.ClientFrame) -> None:
        """See `WorkCall`."""
        try:
            with contextlib.suppress(asyncio.InvalidStateError):
                await self._call.write(frame)
        except aio.AioRpcError as error:
            raise self._broken(error) from None

    def cancel(self) -> None:
        """See `WorkCall`."""
        self._call.cancel()


def dial_over_grpc(tls: Tls, token: Token | None = None) -> Dial:
    """Dials workers over gRPC.

    The way to one cannot be opened (`SpanserveError`) where a file of `tls` or the token cannot be read.
    """

    @asynccontextmanager
    async def dial(endpoint: Endpoint) -> AsyncIterator[Begin]:
        async with open_channel(endpoint, tls, token) as channel:
            stub = stub_of(channel)
            yield lambda: GrpcWorkCall(stub.Work(metadata=shown(token)), partial(_broken, endpoint, tls))

    return dial


def _broken(endpoint: Endpoint, tls: Tls, error: aio.AioRpcError) -> StreamBroken:
    other_model = error.code() is grpc.StatusCode.FAILED_PRECONDITION
    denied = error.code() in DENIED
    return StreamBroken(why(error, endpoint, tls), other_model=other_model, denied=denied)
