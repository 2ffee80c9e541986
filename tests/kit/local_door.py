"""A door of a test's own, in this process: it shows what a door costs, and is the plainest there is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from spanserve.contract import Refusal, Task, TaskResult
from spanserve.contract.errors import ErrorCode
from spanserve.doors.door import Inside
from spanserve.doors.observer import DoorObserver
from spanserve.engine.admission import Account
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
        self._account = self.inside.admission.open()

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
        self.inside.admission.close(self._account)

    async def call(self, task: Task) -> TaskResult:
        """Have a task answered.

        Raises:
            Refusal: the door is closed, or the worker has as much as it wants.
        """
        admission, results = self.inside.admission, asyncio.Queue[TaskResult]()
        try:
            if not self.open or self.inside.engine.lifecycle.state is State.FAILED:
                raise Refusal(ErrorCode.UNAVAILABLE, "the door is closed")
            admission.grant(self._account)
            request = admission.submit(self._account, task, results.put_nowait)
        except Refusal as refusal:
            self.inside.engine.observers.tell(DoorObserver.item_refused, refusal.code)
            raise
        self._requests[task.id] = request
        try:
            return await results.get()
        finally:
            self.inside.engine.cancel(request)  # for a caller that has gone; of no effect on what has ended
            admission.settle(self._account, request)
            del self._requests[task.id]

    def withdraw(self, task_id: str) -> None:
        """Cancel a task of somebody who still waits."""
        self.inside.engine.cancel(self._requests[task_id])
