"""The same client for every door, as plain as each protocol allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from spanserve.contract import Refusal, Task, TaskResult
from spanserve.doors.door import Door
from spanserve.doors.grpc.door import GrpcDoor
from spanserve.doors.grpc.settings import GrpcSettings
from spanserve.doors.listener import Listener
from spanserve.doors.redis.door import RedisDoor
from spanserve.doors.redis.settings import QueueSettings
from spanserve.queue import JobId, QueueConfig, RedisSettings
from tests.kit.local_door import LocalDoor
from tests.kit.queue_rig import queue_rig
from tests.kit.redis_server import RedisServer
from tests.kit.serving import Rig
from tests.kit.waiting import eventually
from tests.kit.wire import RawStream, open_raw

#: Outcome of a task: its result, or why it never became work.
Outcome = TaskResult | Refusal


class Caller(Protocol):
    """A client of one door."""

    async def send(self, *tasks: Task) -> None:
        """Send tasks, each in its turn."""

    async def outcome(self, task_id: str) -> Outcome:
        """Wait for what became of a task."""

    async def withdraw(self, task_id: str) -> None:
        """Take a task back."""

    async def vanish(self) -> None:
        """Be gone, without a word."""


class GrpcCaller:
    """A `Work` stream."""

    def __init__(self, stream: RawStream) -> None:
        self._stream = stream
        self._sent: list[str] = []

    async def send(self, *tasks: Task) -> None:
        for task in tasks:
            while self._stream.heard.credit <= 0 and not self._stream.heard.draining:
                await self._stream.read()
            self._stream.heard.credit -= len(task.questions)
            await self._stream.send_tasks([task])

    async def outcome(self, task_id: str) -> Outcome:
        heard = self._stream.heard
        while task_id not in heard.results:
            for error in heard.errors:
                if error.id == task_id:
                    return Refusal.from_proto(error.error)
            await self._stream.read()
        return heard.results[task_id]

    async def withdraw(self, task_id: str) -> None:
        await self._stream.cancel(task_id)

    async def vanish(self) -> None:
        self._stream.call.cancel()


class QueueCaller:
    """A producer; it is gone as soon as it has submitted."""

    def __init__(self, settings: QueueSettings, server: RedisServer) -> None:
        self._settings = settings
        self._rig = queue_rig(server, settings.queue)
        self._tasks: dict[str, Task] = {}

    async def open(self) -> None:
        self.queue = await self._rig.__aenter__()

    async def close(self) -> None:
        await self._rig.__aexit__(None, None, None)

    async def send(self, *tasks: Task) -> None:
        for task in tasks:
            self._tasks[task.id] = task
        assert {"queued"} == set(await self.queue.submit(*tasks))

    async def outcome(self, task_id: str) -> Outcome:
        run_id = self._tasks[task_id].run_id

        async def ended() -> bool:
            return any(task_id == ended for ended, _ in await self.queue.events(run_id))

        await eventually(ended)
        return TaskResult.from_bytes(self.queue.blobs(run_id)[task_id])

    async def withdraw(self, task_id: str) -> None:
        await self.queue.producer.cancel([JobId.of(self._tasks[task_id])])

    async def vanish(self) -> None:
        """Nothing holds a producer to its tasks."""


class LocalCaller:
    """Calls of the test's own door."""

    def __init__(self, door: LocalDoor) -> None:
        self._door = door
        self._calls: dict[str, asyncio.Task[TaskResult]] = {}

    async def send(self, *tasks: Task) -> None:
        for task in tasks:
            self._calls[task.id] = asyncio.create_task(self._door.call(task))
        await asyncio.sleep(0)

    async def outcome(self, task_id: str) -> Outcome:
        try:
            return await self._calls[task_id]
        except Refusal as refusal:
            return refusal

    async def withdraw(self, task_id: str) -> None:
        self._door.withdraw(task_id)

    async def vanish(self) -> None:
        for call in self._calls.values():
            call.cancel()


#: Opens a door on an engine, started, with a client before it.
Opened = Callable[[Rig, RedisServer], AbstractAsyncContextManager[tuple[Door, Caller]]]


@asynccontextmanager
async def over_grpc(rig: Rig, server: RedisServer) -> AsyncIterator[tuple[Door, Caller]]:
    door = GrpcDoor(rig.inside, GrpcSettings(listen=(Listener(address="127.0.0.1:0"),), drain_delay_s=0))
    await door.check()
    door.start()
    async with open_raw(door.address) as channel:
        stream = RawStream(channel)
        await stream.hello()
        try:
            yield door, GrpcCaller(stream)
        finally:
            stream.call.cancel()
            await door.close("the test ends")


@asynccontextmanager
async def through_redis(rig: Rig, server: RedisServer) -> AsyncIterator[tuple[Door, Caller]]:
    settings = QueueSettings(
        redis=RedisSettings(url=server.url), queue="doors", config=QueueConfig(lease_ms=5000)
    )
    door, caller = RedisDoor(rig.inside, settings), QueueCaller(settings, server)
    await door.check()
    door.start()
    await caller.open()
    try:
        yield door, caller
    finally:
        await door.close("the test ends")
        await caller.close()


@asynccontextmanager
async def in_process(rig: Rig, server: RedisServer) -> AsyncIterator[tuple[Door, Caller]]:
    door = LocalDoor(rig.inside)
    await door.check()
    door.start()
    try:
        yield door, LocalCaller(door)
    finally:
        await door.close("the test ends")


DOORS: dict[str, Opened] = {"grpc": over_grpc, "redis": through_redis, "in-process": in_process}
