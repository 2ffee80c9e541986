"""The same client for every door, as plain as each protocol allows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Protocol

from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.doors.door import Door
from spanserve.doors.grpc.door import GrpcDoor
from spanserve.doors.grpc.settings import GrpcSettings
from spanserve.doors.listener import Listener
from spanserve.doors.redis.door import RedisDoor
from spanserve.doors.redis.settings import QueueSettings
from spanserve.queue import JobId, QueueConfig, RedisSettings
from tests.integration.doors.oip_caller import OipCaller, infer_json, json_columns, result_of
from tests.kit.http import LineStream, open_lines, request
from tests.kit.http_doors import http_door
from tests.kit.json_tasks import refusal_from_json, result_from_json, task_to_json
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


class HttpCaller:
    """A `POST /v1/answer` for each task, on a connection of its own."""

    #: Calls that a client has open at a time.
    MOST = 32

    def __init__(self, address: str) -> None:
        self._address = address
        self._free = asyncio.Semaphore(self.MOST)
        self._calls: dict[str, asyncio.Task[Outcome]] = {}

    async def send(self, *tasks: Task) -> None:
        for task in tasks:
            await self._free.acquire()
            self._calls[task.id] = asyncio.create_task(self._call(task))

    async def _call(self, task: Task) -> Outcome:
        try:
            path, content = self.asked(task)
            status, _, body = await request(self._address, "POST", path, content)
        except asyncio.CancelledError:
            return Refusal(ErrorCode.CANCELLED, "hung up")
        finally:
            self._free.release()
        return self.said(task, status, json.loads(body))

    def asked(self, task: Task) -> tuple[str, object]:
        """The path that a task goes to, and the body."""
        return "/v1/answer", task_to_json(task)

    def said(self, task: Task, status: int, found: Any) -> Outcome:
        """What an answer says of a task."""
        return result_from_json(found) if status == 200 else refusal_from_json(found)

    async def outcome(self, task_id: str) -> Outcome:
        return await self._calls[task_id]

    async def withdraw(self, task_id: str) -> None:
        self._calls[task_id].cancel()

    async def vanish(self) -> None:
        for call in self._calls.values():
            call.cancel()


class OipHttpCaller(HttpCaller):
    """The Open Inference Protocol over HTTP: its questions are the rows of a request."""

    def asked(self, task: Task) -> tuple[str, object]:
        return "/v2/models/qa/infer", infer_json(task)

    def said(self, task: Task, status: int, found: Any) -> Outcome:
        if status == 200:
            return result_of(task, json_columns(found))
        code, _, message = found["error"].partition(": ")
        return Refusal(ErrorCode[code], message)


class LinesCaller:
    """One `POST /v1/answer` with a line for each task, which is read as far as there is room."""

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream
        self._outcomes: dict[str, asyncio.Future[Outcome]] = {}
        self._lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def send(self, *tasks: Task) -> None:
        for task in tasks:
            self._lines.append(task.id)
            self._outcomes[task.id] = asyncio.get_running_loop().create_future()
            await self._stream.send(task_to_json(task))

    async def _read(self) -> None:
        async for line in self._stream.lines():
            task_id = self._lines[line["line"] - 1]
            outcome = refusal_from_json(line["error"]) if "error" in line else result_from_json(line)
            self._outcomes[task_id].set_result(outcome)

    async def outcome(self, task_id: str) -> Outcome:
        return await self._outcomes[task_id]

    async def vanish(self) -> None:
        self._stream.abort()

    async def close(self) -> None:
        self._stream.abort()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def withdraw(self, task_id: str) -> None:
        raise NotImplementedError("a line is not taken back")


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
async def over_oip(rig: Rig, server: RedisServer) -> AsyncIterator[tuple[Door, Caller]]:
    door = GrpcDoor(rig.inside, GrpcSettings(listen=(Listener(address="127.0.0.1:0"),), drain_delay_s=0))
    await door.check()
    door.start()
    async with open_raw(door.address) as channel:
        caller = OipCaller(channel)
        try:
            yield door, caller
        finally:
            await caller.vanish()
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


@asynccontextmanager
async def over_http(
    rig: Rig, server: RedisServer, kind: type[HttpCaller] = HttpCaller
) -> AsyncIterator[tuple[Door, Caller]]:
    async with http_door(rig) as door:
        caller = kind(door.address)
        try:
            yield door, caller
        finally:
            await caller.vanish()


@asynccontextmanager
async def over_http_lines(rig: Rig, server: RedisServer) -> AsyncIterator[tuple[Door, Caller]]:
    async with http_door(rig) as door, open_lines(door.address) as stream:
        caller = LinesCaller(stream)
        try:
            yield door, caller
        finally:
            await caller.close()


DOORS: dict[str, Opened] = {
    "http": over_http,
    "http-lines": over_http_lines,
    "grpc": over_grpc,
    "oip": over_oip,
    "oip-http": partial(over_http, kind=OipHttpCaller),
    "redis": through_redis,
    "in-process": in_process,
}
#: Those where a client can take back a task and stay.
WITHDRAWING = {name: opened for name, opened in DOORS.items() if opened is not over_http_lines}
