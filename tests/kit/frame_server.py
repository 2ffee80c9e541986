"""A worker of frames behind a real gRPC server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc import aio

from spanserve.client.grpc.call import StreamBroken
from spanserve.contract import Refusal, Task
from spanserve.v1 import worker_pb2 as pb
from spanserve.v1.worker_pb2_grpc import (
    QuestionAnsweringServicer,
    add_QuestionAnsweringServicer_to_server,
)
from tests.kit.frame_worker import FrameWorker


@asynccontextmanager
async def frame_server(worker: FrameWorker) -> AsyncIterator[str]:
    """Serves a worker; yields its address."""
    server = aio.server()
    add_QuestionAnsweringServicer_to_server(_Servicer(worker), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


class _Servicer(QuestionAnsweringServicer):
    def __init__(self, worker: FrameWorker) -> None:
        self._worker = worker

    async def Describe(self, request: pb.DescribeRequest, context: Any) -> pb.DescribeResponse:
        return self._worker.status().to_proto()

    async def Answer(self, request: pb.AnswerRequest, context: Any) -> pb.AnswerResponse:
        outcome = self._worker.script(Task.from_proto(request.task))
        if isinstance(outcome, Refusal):
            error = outcome.to_proto().SerializeToString()
            context.set_trailing_metadata((("spanserve-error-bin", error),))
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(outcome))
            raise AssertionError
        return pb.AnswerResponse(result=outcome.to_proto())

    async def Work(
        self, frames: AsyncIterator[pb.ClientFrame], context: Any
    ) -> AsyncIterator[pb.ServerFrame]:
        call = self._worker.begin()

        async def take() -> None:
            async for frame in frames:
                await call.write(frame)

        taking = asyncio.create_task(take())
        try:
            while True:
                frame = await call.read()
                yield frame
                if frame.HasField("bye"):
                    return
        except StreamBroken as error:
            other = error.other_model
            code = grpc.StatusCode.FAILED_PRECONDITION if other else grpc.StatusCode.UNAVAILABLE
            await context.abort(code, str(error))
        finally:
            taking.cancel()
            call.cancel()
