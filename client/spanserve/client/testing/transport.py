"""The transport to a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable

from spanserve.client.errors import NoWorker
from spanserve.client.testing.script import MODEL_DIGEST, WORKER, Script
from spanserve.client.transport import Described, distinct
from spanserve.contract import ErrorCode, Refusal, State, Task, TaskResult, WorkerStatus


class InMemoryTransport:
    """Workers that are a function; see `spanserve.client.transport.Transport`.

    Args:
        script: called once for every task, when its result is wanted.
    """

    unique_names = True

    def __init__(self, script: Script) -> None:
        #: Whether there is a worker. If not, none is waited for: everything raises `NoWorker` at once.
        self.ready = True
        #: The tasks that the script was given, in order.
        self.asked: list[Task] = []
        self._script = script
        #: The tasks that have a result, in order.
        self.ended: list[Task] = []
        #: Those that run.
        self.streams: list[InMemoryStream] = []

    def stream(self, *, keep: bool = False, tell: Callable[[], None] = lambda: None) -> InMemoryStream:
        """A new stream of tasks; nothing is kept, and nothing is reported between results."""
        return InMemoryStream(self)

    async def answer(self, task: Task) -> TaskResult:
        """Have one task answered; see `Transport`."""
        result = self.compute(task)
        self.ended.append(task)
        return result

    async def describe(self) -> Described:
        """The one worker, if it is ready."""
        status = WorkerStatus(worker=WORKER, state=State.READY, model_digest=MODEL_DIGEST)
        return {WORKER: status} if self.ready else {}

    async def wait_ready(self) -> Described:
        """What `describe` says; nobody waits."""
        self._check_ready()
        return await self.describe()

    async def before(self) -> Described:
        return await self.wait_ready()

    async def after(self) -> Described:
        return await self.describe()

    async def cancel(self, task_ids: Iterable[str], run_id: str, tenant: str) -> dict[str, str]:
        """Withdraw tasks that have no result yet, as from a queue; see `AsyncClient.cancel`."""
        found = {}
        for name in task_ids:
            withdrawn = [stream for stream in self.streams if stream.withdraw(name, run_id, tenant)]
            ended = any(task.id == name and _is_of(task, run_id, tenant) for task in self.ended)
            found[name] = "cancelled" if withdrawn else "ended" if ended else "unknown"
        return found

    async def close(self) -> None:
        """Nothing is open."""

    def compute(self, task: Task) -> TaskResult:
        """The result of a task.

        Raises:
            NoWorker: the transport is not ready.
            Refusal: the script refuses the task.
        """
        self._check_ready()
        self.asked.append(task)
        return self._script(task)

    def _check_ready(self) -> None:
        if not self.ready:
            raise NoWorker(f"no worker was ready within 0 s ({WORKER})")


class InMemoryStream:
    """Tasks in, results out, one at a time and in order."""

    copies = 0
    silent: tuple[str, ...] = ()

    def __init__(self, transport: InMemoryTransport) -> None:
        self._transport = transport
        self._waiting: dict[str, Task] = {}
        self._withdrawn: set[str] = set()

    async def run(self, tasks: Iterable[Task]) -> AsyncGenerator[list[TaskResult]]:
        """Yield results until every task has one; see `Stream`."""
        self._waiting = {task.id: task for task in distinct(tasks)}
        self._transport.streams.append(self)
        try:
            while self._waiting:
                task = next(iter(self._waiting.values()))
                result = self._result(task)
                self._transport.ended.append(self._waiting.pop(task.id))
                yield [result]
                await asyncio.sleep(0)  # others get their turn, as while one waits for a network
        finally:
            self._transport.streams.remove(self)

    def shares(self) -> str:
        """Nothing: there is one worker."""
        return ""

    def withdraw(self, name: str, run_id: str, tenant: str) -> bool:
        """Cancel a task that has no result yet; whether there was such a one."""
        task = self._waiting.get(name)
        if task is None or not _is_of(task, run_id, tenant):
            return False
        self._withdrawn.add(name)
        return True

    def _result(self, task: Task) -> TaskResult:
        if task.id in self._withdrawn:
            return TaskResult.refused(task, Refusal(ErrorCode.CANCELLED, "the task was withdrawn"))
        try:
            return self._transport.compute(task)
        except Refusal as error:
            return TaskResult.refused(task, error)


def _is_of(task: Task, run_id: str, tenant: str) -> bool:
    """Whether a task is of that run; no run: of any."""
    return not run_id or (run_id, tenant) == (task.run_id, task.tenant)
