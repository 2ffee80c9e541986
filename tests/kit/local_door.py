"""A door of a test's own, in this process: it shows what a door costs, and is the plainest there is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from spanserve.contract import Refusal, Task, TaskResult
from spanserve.contract.errors import ErrorCode
from spanserve.doors.door import Inside
from spanserve.doors.observer import DoorObserver
from spanserve.engine.credit import Account
from spanserve.engine.request import Request
from spanserve.engine.state import State


@dataclass(slots=True, eq=False)
class LocalDoor:
    """Tasks by `call`; a caller that is cancelled has gone."""

    inside: Inside
    open: bool = False
    #: Why the door was closed.
    reason: str = ""
    _account: Account = field(init=False)
    _requests: dict[str, Request[Task]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._account = self.inside.pool.open()

    async def check(self) -> None:
        """Nothing can be wrong with a queue in memory."""

    def start(self) -> None:
        self.open = True

    def give_back(self) -> None:
        """Nobody else could have the tasks."""

    async def drain(self) -> None:
        self.open = False

    async def close(self, reason: str) -> None:
        self.open, self.reason = False, reason
        self.inside.pool.close(self._account)

    async def call(self, task: Task) -> TaskResult:
        """Have a task answered.

        Raises:
            Refusal: the door is closed, or the worker has as much as it wants.
        """
        pool, questions = self.inside.pool, len(task.questions)
        try:
            if not self.open or self.inside.engine.lifecycle.state is State.FAILED:
                raise Refusal(ErrorCode.UNAVAILABLE, "the door is closed")
            pool.grant(self._account)
            if not pool.take(self._account, questions):
                raise Refusal(ErrorCode.RESOURCE_EXHAUSTED, "the worker is full")
        except Refusal as refusal:
            self.inside.engine.observers.tell(DoorObserver.item_refused, refusal.code)
            raise
        try:
            return await self._compute(task)
        finally:
            pool.settle(self._account, questions)

    async def _compute(self, task: Task) -> TaskResult:
        results: asyncio.Queue[TaskResult] = asyncio.Queue()
        (request,) = self.inside.engine.submit([task], [results.put_nowait])
        self._requests[task.id] = request
        try:
            return await results.get()
        finally:
            self.inside.engine.cancel(request)  # for a caller that has gone; of no effect on what has ended
            del self._requests[task.id]

    def withdraw(self, task_id: str) -> None:
        """Cancel a task of somebody who still waits."""
        self.inside.engine.cancel(self._requests[task_id])
