"""Many tasks, a line each, in one request: results go out as soon as there are any, lines come in against credit."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic_core import to_json
from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.doors.door import Inside
from spanserve.doors.http import models
from spanserve.doors.http.body import disconnected, lines, parse, parts_of
from spanserve.doors.http.operation import NDJSON, Call
from spanserve.doors.http.problem import Problem
from spanserve.doors.identity import Denied
from spanserve.doors.observer import DoorObserver
from spanserve.engine.admission import Account, Caller
from spanserve.engine.request import Request

#: Bytes of lines that are written at a time.
WRITE_BYTES = 64 * 1024
#: Lines with errors that wait to be written at which no more are read: who does not listen is not heard.
ERRORS_HELD = 256
#: Seconds after which a task that found no room is tried again, unless room is told of before.
AGAIN_S = 0.1


class LineStream(Response):
    """The response to such a request.

    Args:
        streams: those that are open; this one is among them while it is.
        task_id: makes one for a task without.
    """

    media_type = NDJSON

    def __init__(
        self, inside: Inside, call: Call, streams: set[LineStream], task_id: Callable[[], str]
    ) -> None:
        self.status_code = 200
        self.body = b""
        self.background: BackgroundTask | None = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self.raw_headers = [entry for entry in self.raw_headers if entry[0] != b"content-length"]
        self._inside = inside
        self._call = call
        self._origin = call.origin
        self._streams = streams
        self._task_id = task_id
        self._requests: dict[Request[Task], None] = {}
        self._ids: set[str] = set()
        self._results: deque[tuple[bytes, Request[Task] | None]] = deque()
        self._line = 0
        self._something = asyncio.Event()
        self._woken = asyncio.Event()
        self._draining = asyncio.Event()
        self._account: Account

    def drain(self) -> None:
        """Stop reading; say so at the end."""
        self._draining.set()
        self._woken.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._call
        caller = Caller(call.caller.name, call.caller.weight, call.connection, "lines")
        self._account = self._inside.admission.open(caller, self._woken.set)
        self._streams.add(self)
        reading = asyncio.ensure_future(self._read())
        reading.add_done_callback(lambda _: self._something.set())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._write(send, reading)
        finally:
            self._streams.discard(self)
            reading.cancel()
            self._inside.admission.close(self._account)  # withdraws what has not ended
            await asyncio.gather(reading, return_exceptions=True)

    # --- in --------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Take lines until there are no more. Raises ClientDisconnect where the client has gone."""
        coming = lines(self._call.request)
        try:
            while (line := await self._next(coming)) is not None:
                self._line += 1
                await self._take(line)
                while len(self._results) >= ERRORS_HELD:
                    self._woken.clear()
                    await self._woken.wait()
            if self._draining.is_set():
                raise Refusal(ErrorCode.UNAVAILABLE, "the worker takes no more lines", retry_after_ms=1000)
        except Refusal as refusal:
            self._refuse(refusal, self._line + 1)
        except Problem as problem:
            self._say({"line": self._line + 1, "error": problem.content})
        except Denied as denied:
            self._refuse(Refusal(ErrorCode.PERMISSION_DENIED, str(denied)), self._line + 1)
        finally:
            self._inside.admission.forgo(self._account)  # no more comes
            await coming.aclose()  # type: ignore[attr-defined]  # a generator

    async def _next(self, coming: Any) -> bytes | None:
        """The next line; None at the end, or once no more are taken."""
        line = asyncio.ensure_future(anext(coming, None))
        draining = asyncio.ensure_future(self._draining.wait())
        try:
            await asyncio.wait((line, draining), return_when=asyncio.FIRST_COMPLETED)
            return None if self._draining.is_set() else line.result()
        finally:
            draining.cancel()
            line.cancel()
            await asyncio.gather(line, draining, return_exceptions=True)

    async def _take(self, line: bytes) -> None:
        """Make work of a line as soon as there is room for it."""
        number = self._line
        task: Task | None = None
        try:
            found = await self._call.in_turn(parts_of(line), partial(parse, models.Task, line))
            task = found.to_task(self._task_id(), None)
            identity = self._call.readmit()
            if task.id in self._ids:
                raise Refusal(ErrorCode.ALREADY_EXISTS, "a task with this id is in flight", field="id")
            await self._submit(number, identity.own(task))
        except Refusal as refusal:
            self._refuse(refusal, number, task)
        except Problem as problem:
            self._say({"line": number, "error": problem.content})

    async def _submit(self, number: int, task: Task) -> None:
        admission, account = self._inside.admission, self._account
        while not self._draining.is_set():
            self._woken.clear()
            if account.ready <= 0:
                admission.forgo(account)
                admission.grant(account)
            if account.ready > 0:
                with contextlib.suppress(_Full):
                    self._start(number, task)
                    return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S):
                    await self._woken.wait()
        raise Refusal(ErrorCode.UNAVAILABLE, "the worker takes no more tasks", retry_after_ms=1000)

    def _start(self, number: int, task: Task) -> None:
        box: list[Request[Task]] = []
        try:
            finished = partial(self._finished, number, task, box)
            box.append(self._inside.admission.submit(self._account, task, finished, origin=self._origin))
        except Refusal as refusal:
            if refusal.code is ErrorCode.RESOURCE_EXHAUSTED:
                raise _Full from None
            raise
        self._requests[box[0]] = None
        self._ids.add(task.id)

    # --- out -------------------------------------------------------------------------------------------------

    def _finished(self, number: int, task: Task, box: list[Request[Task]], result: TaskResult) -> None:
        (request,) = box
        self._requests.pop(request, None)
        self._ids.discard(task.id)
        self._say({"line": number, **models.result_to_json(result, task.context)}, request)

    def _refuse(self, refusal: Refusal, number: int, task: Task | None = None) -> None:
        self._inside.engine.observers.tell(DoorObserver.item_refused, refusal.code)
        named = {"id": task.id} if task else {}
        self._say({"line": number, **named, "error": Problem.of(refusal).content})

    def _say(self, content: dict[str, Any], request: Request[Task] | None = None) -> None:
        self._results.append((to_json(content) + b"\n", request))
        self._something.set()

    async def _write(self, send: Send, reading: asyncio.Future[None]) -> None:
        """Write until the last result is out, or the client has gone."""
        gone = asyncio.ensure_future(self._gone(reading))
        try:
            while not gone.done():
                while self._results:
                    await self._write_some(send)
                if reading.done() and not self._requests and not self._results:
                    reading.result()  # raises what the reader met
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
                something = asyncio.ensure_future(self._something.wait())
                await asyncio.wait((something, gone), return_when=asyncio.FIRST_COMPLETED)
                something.cancel()
                self._something.clear()
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _write_some(self, send: Send) -> None:
        size, out, settled = 0, [], []
        while self._results and size < WRITE_BYTES:
            line, request = self._results.popleft()
            size += len(line)
            out.append(line)
            if request is not None:
                settled.append(request)
        await send({"type": "http.response.body", "body": b"".join(out), "more_body": True})
        self._inside.admission.settle(self._account, *settled)
        self._woken.set()

    async def _gone(self, reading: asyncio.Future[None]) -> None:
        """Wait until the client has gone: while a line waits for room the body is not read."""
        lost = asyncio.ensure_future(self._call.request.scope["connection"].lost.wait())
        try:
            await asyncio.wait((reading, lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        if reading.done():
            await disconnected(self._call.request)


class _Full(Exception):
    """There is no room now."""
