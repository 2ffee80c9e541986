"""The wire by hand: a `Work` stream and an `Answer` call that send any bytes, right or wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from grpc import aio

from spanserve.contract import Question, Task, TaskResult
from spanserve.contract.limits import MAX_MESSAGE_BYTES
from spanserve.v1 import worker_pb2 as pb
from tests.kit.processes import PATIENCE_S
from tests.kit.waiting import eventually

CONTEXT = "Anna Holm said the harbour froze in 1871."
_METHOD = "/spanserve.v1.QuestionAnswering/"
#: Wide limits: it is the worker that must refuse.
_OPTIONS = (
    ("grpc.max_receive_message_length", 4 * MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.absolute_max_metadata_size", 1 << 20),
    ("grpc.use_local_subchannel_pool", 1),  # every channel is a connection of its own
)


def make_task(
    name: str = "t", *questions: str, context: str = CONTEXT, timeout_ms: int | None = None, attempt: int = 1
) -> Task:
    """A task that asks who said it, unless told otherwise."""
    asked = tuple(Question(f"{name}/{n}", text) for n, text in enumerate(questions or ("Who said?",)))
    return Task(id=name, context=context, questions=asked, timeout_ms=timeout_ms, attempt=attempt)


def make_tasks(count: int, prefix: str = "t") -> list[Task]:
    """Tasks with one question each, every context different."""
    return [make_task(f"{prefix}{n}", context=f"{CONTEXT} Holm {n}.") for n in range(count)]


@dataclass(slots=True)
class Heard:
    """What has come out of a stream so far."""

    results: dict[str, TaskResult] = field(default_factory=dict)
    #: Results for ids that had one.
    repeated: int = 0
    errors: list[pb.ItemError] = field(default_factory=list)
    credit: int = 0
    welcome: pb.Welcome | None = None
    draining: bool = False
    bye: pb.Bye | None = None

    def take(self, frame: pb.ServerFrame) -> None:
        for data in frame.results:
            result = TaskResult.from_bytes(data)
            self.repeated += result.id in self.results
            self.results[result.id] = result
        self.errors.extend(frame.errors)
        self.credit += frame.credit
        self.draining = self.draining or frame.draining
        if frame.HasField("welcome"):
            self.welcome = frame.welcome
        if frame.HasField("bye"):
            self.bye = frame.bye


class RawStream:
    """A `Work` stream without the manners of the client."""

    def __init__(self, channel: aio.Channel, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        make: aio.StreamStreamMultiCallable[bytes, pb.ServerFrame] = channel.stream_stream(
            f"{_METHOD}Work", request_serializer=None, response_deserializer=pb.ServerFrame.FromString
        )
        self.call: aio.StreamStreamCall[bytes, pb.ServerFrame] = make(metadata=metadata)
        self.heard = Heard()
        self.frames = 0

    async def hello(self, model_digest: str = "") -> pb.Welcome:
        """Open the stream; returns the Welcome."""
        await self.send(pb.ClientFrame(hello=pb.Hello(client="raw", model_digest=model_digest)))
        await self.read()
        assert self.heard.welcome is not None
        return self.heard.welcome

    async def send(self, frame: pb.ClientFrame | bytes) -> None:
        # Where it has ended, reading tells why.
        with contextlib.suppress(asyncio.InvalidStateError, aio.AioRpcError):
            await self.call.write(frame if isinstance(frame, bytes) else frame.SerializeToString())

    async def send_tasks(self, tasks: Iterable[Task | bytes]) -> int:
        """Send tasks in one frame; returns its number."""
        self.frames += 1
        data = [task if isinstance(task, bytes) else task.to_bytes() for task in tasks]
        await self.send(pb.ClientFrame(tasks=pb.TaskBatch(frame=self.frames, tasks=data)))
        return self.frames

    async def send_all(self, tasks: Iterable[Task]) -> None:
        """Send tasks of one question each, as the credit for them comes in."""
        waiting = list(tasks)
        while waiting:
            count = self.heard.credit
            self.heard.credit -= len(waiting[:count])
            if count:
                await self.send_tasks(waiting[:count])
                del waiting[:count]
            else:
                await self.read()

    async def cancel(self, *ids: str) -> None:
        await self.send(pb.ClientFrame(cancel=pb.Cancel(ids=ids)))

    async def bye(self) -> None:
        await self.send(pb.ClientFrame(bye=pb.Bye()))

    async def read(self) -> Heard:
        """Take in the next frame.

        Raises:
            EOFError: the stream has ended in order.
            AioRpcError: it has ended with an error.
        """
        async with asyncio.timeout(PATIENCE_S):
            frame = await self.call.read()
        if not isinstance(frame, pb.ServerFrame):
            raise EOFError
        self.heard.take(frame)
        return self.heard

    async def until(self, *, results: int = 0, errors: int = 0) -> Heard:
        """Read until so many results and errors have come in all."""
        while len(self.heard.results) < results or len(self.heard.errors) < errors:
            await self.read()
        return self.heard

    async def until_draining(self) -> Heard:
        while not self.heard.draining:
            await self.read()
        return self.heard

    async def until_end(self) -> Heard:
        """Read to the end.

        Raises:
            AioRpcError: it was no good end.
        """
        while True:
            try:
                await self.read()
            except EOFError:
                return self.heard


def open_raw(address: str) -> aio.Channel:
    """A channel without the client's limits."""
    return aio.insecure_channel(address, options=_OPTIONS)


@asynccontextmanager
async def raw_stream(address: str) -> AsyncIterator[RawStream]:
    """A stream that was welcomed."""
    async with open_raw(address) as channel:
        stream = RawStream(channel)
        await stream.hello()
        try:
            yield stream
        finally:
            stream.call.cancel()


async def raw_answer(
    channel: aio.Channel, request: bytes, *, metadata: tuple[tuple[str, str], ...] = ()
) -> TaskResult:
    """Call `Answer` with these bytes.

    Raises:
        AioRpcError: the call failed.
    """
    call: aio.UnaryUnaryMultiCallable[bytes, pb.AnswerResponse] = channel.unary_unary(
        f"{_METHOD}Answer", request_serializer=None, response_deserializer=pb.AnswerResponse.FromString
    )
    response = await call(request, timeout=PATIENCE_S, metadata=metadata)
    assert isinstance(response, pb.AnswerResponse)
    return TaskResult.from_proto(response.result)


async def describe(channel: aio.Channel) -> pb.DescribeResponse:
    """Call `Describe`."""
    call = channel.unary_unary(
        f"{_METHOD}Describe",
        request_serializer=pb.DescribeRequest.SerializeToString,
        response_deserializer=pb.DescribeResponse.FromString,
    )
    response = await call(pb.DescribeRequest(), timeout=PATIENCE_S)
    assert isinstance(response, pb.DescribeResponse)
    return response


async def holding(address: str, windows: int) -> pb.DescribeResponse:
    """Wait until the worker holds so many windows; what it says of itself then."""
    async with open_raw(address) as channel:

        async def holds() -> bool:
            return (await describe(channel)).held_windows == windows

        await eventually(holds)
        return await describe(channel)
