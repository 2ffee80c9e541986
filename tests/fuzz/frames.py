"""Frames of a `Work` stream: whatever a client sends, the stream goes on, or ends as the protocol says.

An input is frames, each after its length in two bytes. A good Hello comes first if the first byte is even.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from spanserve.contract import Refusal, TaskResult
from spanserve.doors.grpc.reads import Reads
from spanserve.doors.grpc.stream import WorkStream
from spanserve.doors.grpc.violation import ProtocolViolation
from spanserve.engine.admission import Caller
from spanserve.v1 import worker_pb2 as pb
from tests.fuzz.target import Try, on_a_rig

HELLO = pb.ClientFrame(hello=pb.Hello(client="fuzz")).SerializeToString()


class Reader:
    """Reads what the worker writes as a client does."""

    def __init__(self) -> None:
        self.ended = False

    async def write(self, message: pb.ServerFrame) -> None:
        frame = pb.ServerFrame.FromString(message.SerializeToString())
        assert not self.ended, "a frame after Bye"
        for data in frame.results:
            TaskResult.from_bytes(data)
        for item in frame.errors:
            Refusal.from_proto(item.error)
        self.ended = frame.HasField("bye")


def framed(*frames: bytes, greet: bool = True) -> bytes:
    """The input that is these frames."""
    return bytes([not greet]) + b"".join(len(frame).to_bytes(2) + frame for frame in frames)


def frames_of(data: bytes) -> Iterator[bytes]:
    if data and not data[0] % 2:
        yield HELLO
    at = 1
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        yield data[at + 2 : end]
        at = end


async def _sent(data: bytes) -> AsyncIterator[bytes]:
    for frame in frames_of(data):
        yield frame


@contextmanager
def target() -> Iterator[Try]:
    """A stream for each input."""
    numbers = itertools.count()
    with on_a_rig() as (rig, run):

        async def serve(data: bytes) -> None:
            caller = Caller("fuzz", 1.0, f"connection {next(numbers)}", "stream")
            reader = Reader()
            stream = WorkStream(rig.inside, _sent(data), reader, caller=caller, reads=Reads())
            try:
                await stream.serve()
            except ProtocolViolation:
                return
            assert reader.ended, "the stream ended without Bye"

        yield lambda data: run(serve(data))
