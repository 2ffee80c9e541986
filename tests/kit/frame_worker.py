"""A worker of the `Work` stream in memory: no engine, no network; it does what a test tells it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from spanserve.client.grpc.addresses import Endpoint
from spanserve.client.grpc.call import Begin, Dial, StreamBroken
from spanserve.contract import ErrorCode, Refusal, State, Task, TaskResult, WorkerStatus
from spanserve.v1 import worker_pb2 as pb
from tests.kit.scripted_worker import answers

#: What becomes of a task: its result, or the reason why it is not taken.
Script = Callable[[Task], TaskResult | Refusal]


class FrameWorker:
    """Grants credit, and ends every task as the script says.

    Args:
        script: asked once for every delivery of a task.
        credit: questions that a stream may hold.
        digest: of its model.
    """

    def __init__(
        self, script: Script = answers, *, name: str = "frames", credit: int = 64, digest: str = "m"
    ) -> None:
        self.script = script
        self.name = name
        self.credit = credit
        self.digest = digest
        #: None: nobody listens. Any but READY: streams are refused.
        self.state: State | None = State.READY
        #: While set, tasks are held and not answered.
        self.stuck = False
        self.streams: list[FrameCall] = []
        #: Task id -> task and its stream, of all that are held.
        self.held: dict[str, tuple[Task, FrameCall]] = {}
        #: Ids of tasks that were withdrawn, and deliveries of all tasks, in order.
        self.cancelled: list[str] = []
        self.delivered: list[Task] = []
        self._changed = asyncio.Event()

    def begin(self) -> FrameCall:
        """A new stream to this worker."""
        return FrameCall(self)

    def status(self) -> WorkerStatus:
        return WorkerStatus(worker=self.name, state=self.state, model_digest=self.digest)

    def end(self, name: str, error: Refusal | None = None) -> None:
        """End a held task: as the script says, or with an error."""
        task, call = self.held.pop(name)
        call.answer(task, _failed(task, error) if error else self.script(task))
        self._changed.set()

    def end_all(self) -> None:
        for name in list(self.held):
            self.end(name)

    def go(self) -> None:
        """Be stuck no longer."""
        self.stuck = False
        self.end_all()

    def cut(self, problem: str = "UNAVAILABLE: cut") -> None:
        """Break all streams; what they held is forgotten."""
        for call in list(self.streams):
            call.drop(StreamBroken(problem))

    def bye(self) -> None:
        """End all streams in order; what they held is given back."""
        for call in list(self.streams):
            call.say(pb.ServerFrame(bye=pb.Bye(reason="test")))
            call.drop(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that holds once tasks have come, gone or been withdrawn."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def take(self, task: Task, call: FrameCall) -> None:
        """A task has come over a stream."""
        self.delivered.append(task)
        if task.id in self.held and not self.stuck:
            self.end(task.id)  # of another stream: ids are unique within one only
        self.held[task.id] = task, call
        self._changed.set()
        if not self.stuck:
            # Later, as a worker that computes: others get their turn.
            asyncio.get_running_loop().call_soon(self._compute, task.id)

    def withdraw(self, name: str) -> None:
        """A client wants a task no longer."""
        self.cancelled.append(name)
        if name in self.held:
            self.end(name, Refusal(ErrorCode.CANCELLED, "withdrawn"))
        self._changed.set()

    def forget(self, call: FrameCall) -> None:
        """A stream is gone."""
        if call in self.streams:
            self.streams.remove(call)
        self.held = {name: entry for name, entry in self.held.items() if entry[1] is not call}
        self._changed.set()

    def _compute(self, name: str) -> None:
        if name in self.held and not self.stuck:
            self.end(name)


class FrameCall:
    """One stream; see `WorkCall`."""

    def __init__(self, worker: FrameWorker) -> None:
        self._worker = worker
        self._out: asyncio.Queue[pb.ServerFrame | StreamBroken | None] = asyncio.Queue()
        self._credit = 0
        self._leaving = False
        self._places: dict[str, tuple[int, int]] = {}  # task id -> frame, index

    async def read(self) -> pb.ServerFrame:
        found = await self._out.get()
        if isinstance(found, pb.ServerFrame):
            return found
        raise found or StreamBroken("the worker ended the stream without a goodbye message")

    async def write(self, frame: pb.ClientFrame) -> None:
        match frame.WhichOneof("kind"):
            case "hello":
                self._welcome(frame.hello)
            case "tasks":
                self._take(frame.tasks)
            case "cancel":
                for name in frame.cancel.ids:
                    self._worker.withdraw(name)
            case "bye":
                self._leaving = True
                self._part()

    def cancel(self) -> None:
        self.drop(StreamBroken("CANCELLED: by the client"))

    def say(self, frame: pb.ServerFrame) -> None:
        self._out.put_nowait(frame)

    def drop(self, why: StreamBroken | None) -> None:
        """End the stream."""
        self._out.put_nowait(why)
        self._worker.forget(self)

    def answer(self, task: Task, outcome: TaskResult | Refusal) -> None:
        """End a task of this stream, and give back what it used."""
        if isinstance(outcome, Refusal):  # what is refused uses no credit: the client keeps it
            self._credit += len(task.questions)
            frame, index = self._places[task.id]
            error = pb.ItemError(frame=frame, index=index, id=task.id, error=outcome.to_proto())
            self.say(pb.ServerFrame(errors=[error]))
        else:
            self._grant(len(task.questions), [replace(outcome, attempt=task.attempt).to_bytes()])
        self._part()

    def _welcome(self, hello: pb.Hello) -> None:
        worker = self._worker
        if worker.state is not State.READY:
            what = f"the worker is {worker.state.value}" if worker.state else "nobody listens"
            self._out.put_nowait(StreamBroken(f"UNAVAILABLE: {what}"))
        elif hello.model_digest not in ("", worker.digest):
            problem = f"FAILED_PRECONDITION: serves model {worker.digest}"
            self._out.put_nowait(StreamBroken(problem, other_model=True))
        else:
            worker.streams.append(self)
            self._credit = worker.credit
            welcome = pb.Welcome(model_digest=worker.digest, worker=worker.name)
            self.say(pb.ServerFrame(welcome=welcome, credit=worker.credit))

    def _take(self, batch: pb.TaskBatch) -> None:
        for index, data in enumerate(batch.tasks):
            assert self._credit > 0, "sent beyond credit"
            task = Task.from_bytes(data)
            self._credit -= len(task.questions)
            self._places[task.id] = batch.frame, index
            self._worker.take(task, self)

    def _grant(self, questions: int, results: list[bytes]) -> None:
        self._credit += questions
        self.say(pb.ServerFrame(results=results, credit=questions))

    def _part(self) -> None:
        """Say good-bye once the client has, and nothing is held."""
        if self._leaving and not any(call is self for _, call in self._worker.held.values()):
            self.say(pb.ServerFrame(bye=pb.Bye()))
            self._worker.forget(self)


def dial_to(workers: Mapping[str, FrameWorker]) -> Dial:
    """Dials workers in memory, by address; nobody listens on others."""

    @asynccontextmanager
    async def dial(endpoint: Endpoint) -> AsyncIterator[Begin]:
        with contextlib.ExitStack() as stack:

            def begin() -> FrameCall:
                worker = workers.get(endpoint.address) or _nobody()
                call = worker.begin()
                stack.callback(call.cancel)
                return call

            yield begin

    return dial


def _nobody() -> FrameWorker:
    worker = FrameWorker()
    worker.state = None
    return worker


def _failed(task: Task, error: Refusal) -> TaskResult:
    return TaskResult.refused(task, error)
