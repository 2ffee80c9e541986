"""The connection to one worker: a `Work` stream, opened again whenever it breaks, until all is done.

    Pending --take while credit--> worker --results--> deliver
       ^------------- give back what a broken stream held

Nothing is lost with a stream: what it held goes back to the deque and to whichever worker has credit. A task
that another worker was asked as well, and answered first, is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import replace

from google.protobuf.message import DecodeError

from spanserve.client.grpc.addresses import Endpoint
from spanserve.client.grpc.call import Dial, StreamBroken, WorkCall
from spanserve.client.grpc.pending import Pending
from spanserve.client.result_check import checked
from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.contract.backoff import Backoff
from spanserve.contract.limits import MAX_ATTEMPTS, MAX_TASK_BYTES, MAX_TASKS_PER_FRAME
from spanserve.contract.trace import TraceContext
from spanserve.v1 import worker_pb2 as pb

#: Seconds a worker gets to accept a stream.
WELCOME_TIMEOUT_S = 10.0
#: Faults in a row, without a result between them, after which a worker is left alone for the rest of the run.
FAULTS_ALLOWED = 3
#: Seconds that a worker may ask to be sent nothing.
LONGEST_PAUSE_S = 60.0
#: Seconds between two looks at whether there is something to send.
LOOK_INTERVAL_S = 0.25


class WorkerFault(StreamBroken):
    """The worker broke the rules of the stream: what it says cannot be used."""


class PinnedModel:
    """The model of a run: that of the first worker that answered. Others are not asked."""

    def __init__(self) -> None:
        #: sha256 (hex); empty until it is known.
        self.digest = ""

    def pin(self, digest: str) -> None:
        """Take the first worker's model.

        Raises:
            StreamBroken: this worker serves another one, and was asked before the first had answered.
        """
        if self.digest and self.digest != digest:
            raise StreamBroken(f"serves model {digest}, the run uses {self.digest}")
        self.digest = digest


class Connection:
    """Works with one worker.

    Args:
        endpoint: the worker.
        dial: opens the way to it.
        pending: where tasks come from and go back to.
        deliver: called with the first result of every task.
        trace: the trace that a task belongs to.
        model: the one that the run is pinned to.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        dial: Dial,
        pending: Pending,
        deliver: Callable[[TaskResult], None],
        model: PinnedModel,
        chance: random.Random,
        client_name: str,
        trace: Callable[[Task], TraceContext | None] = lambda task: None,
    ) -> None:
        self.endpoint = endpoint
        self.in_flight: dict[str, Task] = {}
        #: Whether a stream is open and welcomed.
        self.connected = False
        #: Whether one ever was.
        self.welcomed = False
        #: Why it is not, in a few words.
        self.problem = "not tried yet"
        #: Whether the worker serves another model than that of the run, when it was last asked.
        self.other_model = False
        #: Whether the worker denied access when it was last asked.
        self.denied = False
        #: Questions answered over this connection.
        self.answered = 0
        #: Tasks answered here after another worker had answered them.
        self.repeated = 0
        #: Set whenever there may be something to send.
        self.wake = asyncio.Event()
        self._dial = dial
        self._pending = pending
        self._deliver = deliver
        self._trace = trace
        self._model = model
        self._backoff = Backoff(chance=chance)
        self._client_name = client_name
        self._credit = 0
        self._draining = False
        self._resume_at = 0.0  # time of the loop; until then the worker wants no tasks
        self._frames = 0
        self._sent: dict[int, list[str]] = {}  # frame -> ids, on this stream
        self._withdrawn: dict[str, Task] = {}  # answered elsewhere; the worker has not replied yet
        self._to_cancel: list[str] = []
        self._faults = 0  # in a row
        pending.watch(self)

    @property
    def load(self) -> int:
        """Tasks that the worker holds."""
        return len(self.in_flight)

    @property
    def late(self) -> bool:
        """Whether the worker still has tasks that another one has answered."""
        return bool(self._withdrawn)

    def withdraw(self, task_id: str) -> None:
        """Hold a task no longer: another worker has answered it."""
        self._withdrawn[task_id] = self.in_flight.pop(task_id)
        self._to_cancel.append(task_id)
        self.wake.set()

    async def run(self) -> None:
        """Work until `pending` is closed. A worker with another model is asked again: it may go back to the old one."""
        async with self._dial(self.endpoint) as begin:
            while not self._pending.closed and self._faults < FAULTS_ALLOWED:
                orderly = False
                try:
                    await self._work(begin())
                    orderly = True
                    self.problem = "the worker said goodbye"
                except StreamBroken as error:
                    self.problem, self.other_model = str(error), error.other_model
                    self._faults += isinstance(error, WorkerFault)
                    self.denied = error.denied
                except TimeoutError:
                    self.problem, self.other_model, self.denied = "no answer in time", False, False
                finally:
                    self.connected = False
                    held, self.in_flight = list(self.in_flight.values()), {}
                    self._pending.give_back(self, reversed(held), suspect=not orderly)
                await self._rest()

    async def _rest(self) -> None:
        """Wait before the next try; not once everything is done."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._backoff.next_s()):
                while not self._pending.closed:
                    self.wake.clear()
                    await self.wake.wait()

    async def _work(self, call: WorkCall) -> None:
        """One stream, from Hello to Bye.

        Raises:
            StreamBroken, TimeoutError: it ended otherwise.
        """
        self._credit, self._draining, self._frames = 0, False, 0
        self._sent.clear()
        self._withdrawn.clear()
        self._to_cancel.clear()
        try:
            hello = pb.Hello(client=self._client_name, model_digest=self._model.digest)
            async with asyncio.timeout(WELCOME_TIMEOUT_S):
                await call.write(pb.ClientFrame(hello=hello))
                first = await call.read()
            if not first.HasField("welcome"):
                raise WorkerFault("the worker's first message was not a welcome")
            self._model.pin(first.welcome.model_digest)
            self.connected, self.welcomed, self.problem = True, True, ""
            self.other_model = self.denied = False
            self._backoff.reset()
            self._credit = first.credit
            sending = asyncio.create_task(self._send(call))
            try:
                await self._receive(call)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        finally:
            call.cancel()

    async def _send(self, call: WorkCall) -> None:
        """Send tasks while there is credit, and what to cancel; Bye when no more will come."""
        while not self._pending.closed:
            self.wake.clear()
            while self._to_cancel:
                ids = self._to_cancel[:MAX_TASKS_PER_FRAME]
                del self._to_cancel[:MAX_TASKS_PER_FRAME]
                await call.write(pb.ClientFrame(cancel=pb.Cancel(ids=ids)))
            unwanted = self._draining or asyncio.get_running_loop().time() < self._resume_at
            taken = [] if unwanted else self._pending.take(self, self._credit)
            if not taken:
                with contextlib.suppress(TimeoutError):  # tasks become late with others without a sign
                    async with asyncio.timeout(LOOK_INTERVAL_S):
                        await self.wake.wait()
                continue
            batch = [(task, data) for task, data in taken if self._fits(task, data)]
            if not batch:
                continue
            self._credit -= sum(len(task.questions) for task, _ in batch)
            self._frames += 1
            self._sent[self._frames] = [task.id for task, _ in batch]
            # Before the write: should it fail, the tasks are given back with all that is in flight.
            self.in_flight.update((task.id, task) for task, _ in batch)
            found = [self._trace(task) for task, _ in batch]
            traces = [trace.text if trace else "" for trace in found] if any(found) else ()
            tasks = pb.TaskBatch(frame=self._frames, tasks=[data for _, data in batch], traces=traces)
            await call.write(pb.ClientFrame(tasks=tasks))
        await call.write(pb.ClientFrame(bye=pb.Bye()))

    async def _receive(self, call: WorkCall) -> None:
        """Take frames until the worker says Bye."""
        while True:
            frame = await call.read()
            for data in frame.results:
                self._take_result(_parsed(data))
            for error in frame.errors:
                self._take_error(error)
            self._credit += frame.credit
            self._draining = self._draining or frame.draining
            self.wake.set()
            if frame.HasField("bye"):
                return

    def _take_result(self, result: TaskResult) -> None:
        task = self.in_flight.pop(result.id, None)
        if task is not None:
            result, self._faults = checked(task, result), 0
        errors = [question.error.code for question in result.questions if question.error is not None]
        if task is not None and any(code.retryable for code in errors):
            for question in result.questions:
                self._pause(question.error)
            again = replace(task, attempt=min(max(task.attempt, result.attempt), MAX_ATTEMPTS))
            self._pending.give_back(self, [again], suspect=False)
        elif task is not None:
            if self._pending.end(self, task.id):
                self.answered += len(result.questions)
                self._deliver(result)
        elif self._withdrawn.pop(result.id, None) is not None:
            self.repeated += ErrorCode.CANCELLED not in errors
        # What the worker was not sent belongs to no one.

    def _take_error(self, item: pb.ItemError) -> None:
        """A task, or a whole frame, was refused."""
        error = Refusal.from_proto(item.error)
        # The worker could not read the id of a task that it could not parse; its place identifies it.
        ids = self._sent.get(item.frame, [])
        placed = ids[item.index] if item.HasField("index") and item.index < len(ids) else ""
        name = item.id or placed
        late = self._withdrawn.pop(name, None)
        task = late or self.in_flight.pop(name, None)
        if task is None:
            # Ours to get right: a frame we built was not understood. The stream is of no more use.
            raise WorkerFault(f"the worker refused a frame: {error}")
        self._credit += len(task.questions)  # what is refused uses none
        if late is not None:
            return
        if error.code.retryable:
            self._pause(error)
            self._pending.give_back(self, [task], suspect=False)
        else:
            self._refuse(task, error)

    def _pause(self, error: Refusal | None) -> None:
        """Send this worker nothing for as long as it asks; others may take what it refused."""
        if error is not None and error.retry_after_ms:
            loop = asyncio.get_running_loop()
            pause_s = min(error.retry_after_ms / 1000, LONGEST_PAUSE_S)
            self._resume_at = max(self._resume_at, loop.time() + pause_s)
            loop.call_at(self._resume_at, self.wake.set)

    def _fits(self, task: Task, data: bytes) -> bool:
        """Whether a task may be sent. One that no worker would take ends here."""
        if len(data) <= MAX_TASK_BYTES:
            return True
        self._refuse(task, Refusal.too_large("task", len(data), MAX_TASK_BYTES, "bytes"))
        return False

    def _refuse(self, task: Task, error: Refusal) -> None:
        """End a task with an error for all its questions."""
        if self._pending.end(self, task.id):
            self._deliver(TaskResult.refused(task, error))


def _parsed(data: bytes) -> TaskResult:
    """A result.

    Raises:
        WorkerFault: it is not a result, and its task is not known.
    """
    try:
        return TaskResult.from_bytes(data)
    except DecodeError:
        raise WorkerFault("the worker sent something that is not a result") from None
