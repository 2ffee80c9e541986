"""One `Work` stream: frames in, frames out, and the credit between them.

Reader and writer are separate tasks and neither waits for the other: the reader only adds to what the writer
has to say. What the writer may have to say is bounded by the credit, since results not yet written count as
held by the client.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import zip_longest
from typing import Protocol

import grpc
import structlog
from google.protobuf.message import DecodeError

from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.contract.escape import MAX_SHOWN_NAME
from spanserve.contract.limits import MAX_FRAME_BYTES, MAX_TASKS_PER_FRAME
from spanserve.contract.trace import TraceContext
from spanserve.doors.door import Inside
from spanserve.doors.grpc.observer import StreamObserver
from spanserve.doors.grpc.reads import Reads
from spanserve.doors.grpc.violation import ProtocolViolation
from spanserve.doors.observer import DoorObserver
from spanserve.engine.admission import Account, Caller
from spanserve.engine.origin import UNKNOWN, Origin
from spanserve.engine.request import Request
from spanserve.engine.state import State
from spanserve.v1 import worker_pb2 as pb

#: Frames with tasks beyond the credit after which a client is shown the door.
OVERRUNS_ALLOWED = 3
#: Bytes of results after which a frame is sent, well below the message limit.
FRAME_BYTES = MAX_FRAME_BYTES
#: Seconds without a frame from a client that has nothing in flight.
IDLE_TIMEOUT_S = 300.0
#: Seconds for which a client may leave messages unread.
READER_S = 10.0
#: Refusals waiting to be written at which no more frames are read: who does not listen is not heard.
ERRORS_HELD = 1024

log = structlog.get_logger(__name__)


class Writer(Protocol):
    """The writing half of a gRPC stream."""

    async def write(self, message: pb.ServerFrame, /) -> None: ...


class WorkStream:
    """Serves one client until it has said Bye and has all its results, or is gone.

    Args:
        frames: raw frames; each is parsed on its own, so that a malformed one fails alone.
        writer: takes ServerFrame messages.
        caller: whose stream it is.
        reads: bounds those that are pending, that of Hello among them.
        own: makes a task the caller's, or refuses it.
    """

    def __init__(
        self,
        inside: Inside,
        frames: AsyncIterator[bytes],
        writer: Writer,
        *,
        caller: Caller,
        reads: Reads,
        own: Callable[[Task], Task] = lambda task: task,
    ) -> None:
        self.session = secrets.token_hex(8)
        self._inside = inside
        self._engine = inside.engine
        self.caller = caller
        self._admission = inside.admission
        self._reads = reads
        self._frames = frames
        self._writer = writer
        self._own = own
        self._account: Account | None = None
        self._requests: dict[str, Request[Task]] = {}
        self._results: list[bytes] = []
        self._errors: list[pb.ItemError] = []
        self._unsettled: list[Request[Task]] = []  # of the results
        self._overruns = 0
        self._moved = asyncio.get_running_loop().time()  # when it was opened, or had something in flight
        self._in_vain = 0  # items that came to nothing, since the reader looked
        #: Whether it has had a result.
        self.useful = False
        self._draining = False
        self._bye: str | None = None
        self._something = asyncio.Event()
        self._errors_written = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Run the stream.

        Raises:
            ProtocolViolation: the client broke the rules.
        """
        async with self._reads.one(self.caller.connection):
            hello = await self._hello()
        log.info(
            "stream opened",
            session=self.session,
            client=hello.client[:MAX_SHOWN_NAME],
            identity=self.caller.identity[:MAX_SHOWN_NAME],
        )
        self._account = self._admission.open(self.caller, self._something.set)
        try:
            await self._serve(self._account)
        finally:
            self._admission.close(self._account)

    @property
    def idle_s(self) -> float | None:
        """Seconds for which its client has had nothing in flight; None while it has."""
        if self._requests or self._results:
            return None
        return asyncio.get_running_loop().time() - self._moved

    def evict(self) -> None:
        """Make room for a client that has fewer streams."""
        self._engine.observers.tell(StreamObserver.call_ended, "evicted")
        self.end("other clients need the place of this idle stream")

    async def _serve(self, account: Account) -> None:
        self._engine.observers.tell(StreamObserver.stream_opened)
        self._reading = asyncio.create_task(self._read(account))
        self._reading.add_done_callback(lambda _: self._take_no_more())
        try:
            await self._write(account)
        finally:
            self._reading.cancel()
            for request in self._requests.values():
                self._engine.cancel(request)  # they end soon, not at once
            self._engine.observers.tell(StreamObserver.stream_closed)
            log.info("stream closed", session=self.session, dropped=len(self._requests))
            # Last: a cancellation that comes after a failed write would skip what follows.
            await asyncio.gather(self._reading, return_exceptions=True)

    def drain(self) -> None:
        """Ask the client to send no more."""
        self._draining = True
        self._take_no_more()

    def _take_no_more(self) -> None:
        if self._account is not None:
            self._admission.forgo(self._account)
        self._something.set()

    @property
    def _takes(self) -> bool:
        """Whether its client may send more."""
        return not self._draining and self._reading is not None and not self._reading.done()

    def end(self, reason: str) -> None:
        """Say Bye after what there is to say, whatever is still in flight."""
        self._bye = reason
        self._something.set()

    async def _hello(self) -> pb.Hello:
        async for data in self._frames:
            frame = _parse(data)
            if frame is None or frame.WhichOneof("kind") != "hello":
                break
            wanted, served = frame.hello.model_digest, self._inside.status().model_digest
            if wanted and wanted != served:
                raise ProtocolViolation(
                    grpc.StatusCode.FAILED_PRECONDITION, f"this worker serves model {served}, not {wanted}"
                )
            return frame.hello
        raise ProtocolViolation(grpc.StatusCode.INVALID_ARGUMENT, "the first frame of a stream must be Hello")

    async def _read(self, account: Account) -> None:
        """Take frames until the client has said Bye."""
        while True:
            coming = asyncio.ensure_future(anext(self._frames, None))
            # A server that stops ends the read with an error that may have no reader any more.
            coming.add_done_callback(lambda read: read.cancelled() or read.exception())
            # Waited for and not cancelled when time is up: a cancelled read would end the stream.
            try:
                while not (await asyncio.wait((coming,), timeout=IDLE_TIMEOUT_S))[0]:
                    if not self._requests:
                        self.end(f"no frame for {IDLE_TIMEOUT_S:g} s")
                        return
            finally:
                if not coming.done():
                    coming.cancel()
            data = coming.result()
            if data is None or not self._take(account, data):
                return
            if self._in_vain:
                await self._slow_down()
            while len(self._errors) >= ERRORS_HELD:
                self._errors_written.clear()
                await self._errors_written.wait()

    def _take(self, account: Account, data: bytes) -> bool:
        """Handle one frame. False if it was the last."""
        frame = _parse(data)
        if frame is None:
            self._refuse(Refusal.invalid("frame", "not a ClientFrame, or larger than a frame may be"))
            return True
        kind = frame.WhichOneof("kind")
        if kind == "tasks":
            self._take_tasks(account, frame.tasks)
        elif kind == "cancel":
            found = [
                self._requests[name]
                for name in frame.cancel.ids[:MAX_TASKS_PER_FRAME]
                if name in self._requests
            ]
            for request in found:
                self._engine.cancel(request)
            if not found:
                self._in_vain += 1
        elif kind == "bye":
            return False
        else:
            self._refuse(Refusal.invalid("frame.kind", "not expected here", value=str(kind)))
        return True

    def _take_tasks(self, account: Account, batch: pb.TaskBatch) -> None:
        if len(batch.tasks) > MAX_TASKS_PER_FRAME:
            error = Refusal.too_large("frame.tasks", len(batch.tasks), MAX_TASKS_PER_FRAME, "tasks")
            self._refuse(error, batch.frame)
            return
        overrun = False
        credit, asked = account.credit, 0
        for index, (data, trace) in enumerate(zip_longest(batch.tasks, batch.traces[: len(batch.tasks)])):
            task = None
            within = asked < credit
            try:
                task = Task.from_bytes(data)
                asked += len(task.questions)
                if task.id in self._requests:
                    raise Refusal(ErrorCode.ALREADY_EXISTS, "a task with this id is in flight", field="id")
                task = self._own(task)
                if self._engine.lifecycle.state is State.FAILED or self._draining:
                    raise Refusal(
                        ErrorCode.UNAVAILABLE, "the worker takes no more tasks", retry_after_ms=1000
                    )
                finished = partial(self._finished, task.id)
                origin = Origin(trace=TraceContext.parse(trace)) if trace else UNKNOWN
                self._requests[task.id] = self._admission.submit(account, task, finished, origin=origin)
            except Refusal as refusal:
                # Within its credit a task may find no room, if it comes late: that is not the client's fault.
                overrun = overrun or (refusal.code is ErrorCode.RESOURCE_EXHAUSTED and not within)
                self._refuse(refusal, batch.frame, index, task.id if task else "")
        self._something.set()  # a client that works is granted more than one that is idle
        if overrun:
            self._overruns += 1
            if self._overruns > OVERRUNS_ALLOWED:
                raise ProtocolViolation(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    "tasks were repeatedly sent beyond the credit",
                    cause="overrun",
                )

    def _finished(self, task_id: str, result: TaskResult) -> None:
        self._unsettled.append(self._requests.pop(task_id))
        self._results.append(result.to_bytes())
        self._something.set()

    def _refuse(self, error: Refusal, frame: int = 0, index: int | None = None, task_id: str = "") -> None:
        self._engine.observers.tell(DoorObserver.item_refused, error.code)
        if not error.code.retryable:
            self._in_vain += 1
        self._errors.append(pb.ItemError(frame=frame, index=index, id=task_id, error=error.to_proto()))
        self._something.set()

    async def _slow_down(self) -> None:
        """Read more slowly from a connection that sends much to no effect: handling it takes time from all."""
        amount, self._in_vain = self._in_vain, 0
        trust = self._reads.items
        trust.lose(self.caller.connection, amount)
        if pause_s := trust.pause_s(self.caller.connection, amount):
            await asyncio.sleep(pause_s)

    async def _write(self, account: Account) -> None:
        """Write what there is to say until the last result is out."""
        reading, status = self._reading, self._inside.status()
        assert reading is not None
        welcome = pb.ServerFrame(
            welcome=pb.Welcome(
                session=self.session,
                model_digest=status.model_digest,
                worker=status.worker,
                max_seq_length=status.max_seq_length,
                max_windows=self._engine.capacity_windows,
            ),
            credit=self._admission.grant(account),
        )
        await self._say(welcome)
        said_draining = False
        while True:
            await self._something.wait()
            self._something.clear()
            while self._results or self._errors:
                await self._say(self._frame(account))
            if self._takes and (credit := self._admission.grant(account)):
                await self._say(pb.ServerFrame(credit=credit))
            if self._draining and not said_draining:
                said_draining = True
                await self._say(pb.ServerFrame(draining=True))
            if reading.done():
                reading.result()  # raises what the reader met
            if self._results or self._errors:
                continue  # they came while Draining was written
            if self._bye is not None or (reading.done() and not self._requests):
                await self._say(pb.ServerFrame(bye=pb.Bye(reason=self._bye or "")))
                return

    async def _say(self, frame: pb.ServerFrame) -> None:
        """Write a frame.

        Raises:
            ProtocolViolation: the client does not read.
        """
        try:
            async with asyncio.timeout(READER_S):
                await self._writer.write(frame)
        except TimeoutError:
            raise ProtocolViolation(
                grpc.StatusCode.DEADLINE_EXCEEDED, f"nothing was read for {READER_S:g} s", cause="slow_reader"
            ) from None

    def _frame(self, account: Account) -> pb.ServerFrame:
        """As many results and errors as one frame takes, and the credit they set free."""
        size, count = 0, 0
        for data in self._results:
            if count and size + len(data) > FRAME_BYTES:
                break
            size += len(data)
            count += 1
        self.useful = self.useful or count > 0
        frame = pb.ServerFrame(results=self._results[:count], errors=self._errors)
        del self._results[:count]
        self._errors.clear()
        self._errors_written.set()
        self._moved = asyncio.get_running_loop().time()
        settled = self._unsettled[:count]
        del self._unsettled[:count]
        self._admission.settle(account, *settled)
        if self._takes:
            frame.credit = self._admission.grant(account)
        return frame


def _parse(data: bytes) -> pb.ClientFrame | None:
    if len(data) > MAX_FRAME_BYTES:
        return None
    try:
        return pb.ClientFrame.FromString(data)
    except DecodeError:
        return None
