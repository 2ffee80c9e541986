"""The connection to one worker: what becomes of tasks that another one has answered."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from spanserve.client import Dispatcher
from spanserve.client.grpc.addresses import Endpoint
from spanserve.client.grpc.connection import Connection, PinnedModel
from spanserve.client.grpc.pending import VERY_LATE_S, Pending
from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from tests.kit.frame_worker import FrameWorker, dial_to
from tests.kit.scripted_worker import answers
from tests.kit.waiting import eventually
from tests.kit.wire import make_tasks

ADDRESS = "unix:/w"


@dataclass(slots=True, eq=False)
class Other:
    """Another worker, whose answers the test brings."""

    load: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def withdraw(self, task_id: str) -> None:
        """Nothing to forget."""


@dataclass(slots=True)
class Setting:
    """One connection, its worker, which computes nothing until it is let, and another worker."""

    worker: FrameWorker
    pending: Pending
    connection: Connection
    other: Other
    results: list[TaskResult]
    #: Tasks that the other worker is not the first to answer.
    left: int

    def answered_elsewhere(self, name: str) -> None:
        assert self.pending.end(self.other, name)
        self.left -= 1


@asynccontextmanager
async def holding(count: int) -> AsyncIterator[Setting]:
    """A worker holds so many tasks and computes none; the other one has copies of every second."""
    worker = FrameWorker()
    worker.stuck = True
    now = 0.0
    pending, other, results = Pending(lambda: now), Other(), list[TaskResult]()
    connection = Connection(
        Endpoint(ADDRESS),
        dial=dial_to({ADDRESS: worker}),
        pending=pending,
        deliver=results.append,
        model=PinnedModel(),
        chance=random.Random(1),
        client_name="test",
    )
    pending.add(make_tasks(count))
    pending.complete()
    running = asyncio.create_task(connection.run())
    await worker.until(lambda: len(worker.held) == count)
    assert count == connection.load
    now += 2 * VERY_LATE_S
    pending.take(other, count)
    setting = Setting(worker, pending, connection, other, results, count)
    yield setting
    worker.go()
    await eventually(lambda: len(results) == setting.left and not connection.late)
    pending.close()
    await running
    assert [] == worker.streams


async def test_what_another_has_answered_is_cancelled() -> None:
    """A task that another worker has answered is withdrawn; its end is no result and no repetition."""
    async with holding(4) as setting:
        setting.answered_elsewhere("t0")
        setting.answered_elsewhere("t2")
        assert (2, True) == (setting.connection.load, setting.connection.late)
        await setting.worker.until(lambda: setting.worker.cancelled == ["t0", "t2"])
    assert {"t1", "t3"} == {result.id for result in setting.results}
    assert (2, 0) == (setting.connection.answered, setting.connection.repeated)


async def test_a_late_answer_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that is computed all the same is counted as repeated, and its answer is no result."""
    async with holding(4) as setting:
        monkeypatch.setattr(setting.worker, "withdraw", lambda name: None)
        setting.answered_elsewhere("t0")
    assert {"t1", "t2", "t3"} == {result.id for result in setting.results}
    assert (3, 1) == (setting.connection.answered, setting.connection.repeated)


async def test_a_worker_that_asks_for_time_gets_it() -> None:
    """A worker that refuses a task for 300 ms is sent nothing before they are over, and then the task again."""
    sent: list[float] = []

    def refuse_first(task: Task) -> TaskResult | Refusal:
        sent.append(asyncio.get_running_loop().time())
        if len(sent) == 1:
            return Refusal(ErrorCode.RESOURCE_EXHAUSTED, "not now", retry_after_ms=300)
        return answers(task)

    dispatcher = Dispatcher([ADDRESS], dial=dial_to({ADDRESS: FrameWorker(refuse_first)}))
    async for results in dispatcher.run(make_tasks(1)):
        assert all(question.error is None for result in results for question in result.questions)
    first, second = sent
    assert second - first >= 0.3


async def test_what_has_ended_is_not_sent_again() -> None:
    """What another has answered is not sent again when the stream ends."""
    async with holding(2) as setting:
        setting.answered_elsewhere("t0")
        setting.worker.bye()  # t1 goes back, and to the next stream
        await eventually(lambda: not setting.connection.late)
    assert ["t1"] == [result.id for result in setting.results]
    assert ["t0", "t1", "t1"] == [task.id for task in setting.worker.delivered]
