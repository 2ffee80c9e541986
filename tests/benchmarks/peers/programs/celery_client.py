"""Celery's own client: `celery_client.py URL TASK CHUNK`.

CHUNK above 1: a closed loop sends chunks of so many requests and gets results as the documentation shows. Single tasks,
and all of an open loop, are told of by what the result backend publishes on `celery-task-meta-ID`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from celery import Celery
from celery.result import ResultSet
from celery.utils import uuid
from peer_client import Client, Job, Request, run
from redis.asyncio import Redis
from redis.exceptions import RedisError

PREFIX = "celery-task-meta-"
TIMEOUT_S = 600
#: Seconds between two tries to reach Redis.
PAUSE_S = 0.2


def _asked(request: Request) -> dict[str, Any]:
    return {"context": request["context"], "questions": request["questions"]}


class CeleryClient(Client):
    def __init__(self, url: str, task: str, chunk: int) -> None:
        self._app = Celery("qa", broker=f"{url}/0", backend=f"{url}/1")
        self._redis: Any = Redis.from_url(f"{url}/1")
        self._task, self._chunk = task, chunk
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    async def open(self) -> None:
        await self._subscribe()

    async def close(self) -> None:
        await self._unsubscribe()
        await self._redis.aclose()

    async def ask(self, request: Request) -> list[str]:
        name, chunked = uuid(), self._task == "answer"
        future = self._waiting[name] = asyncio.get_running_loop().create_future()
        self._app.send_task(
            self._task, args=[[_asked(request)] if chunked else _asked(request)], task_id=name
        )
        found = await future
        answers: list[str] = found[0] if chunked else found
        return answers

    async def closed(self, job: Job) -> None:
        if self._chunk == 1:
            await super().closed(job)
            return
        await self._unsubscribe()  # results come in the usual way, without a second subscriber beside it
        began = time.perf_counter()
        chunks = [
            job.requests[first : first + self._chunk] for first in range(0, len(job.requests), self._chunk)
        ]
        sent: list[Any] = []
        for index, chunk in enumerate(chunks):
            ahead = index + max(1, job.in_flight // self._chunk)
            sent += [self._send(chunks[number]) for number in range(len(sent), min(ahead, len(chunks)))]
            found = sent[index].get(timeout=TIMEOUT_S)
            for request, answers in zip(chunk, found, strict=True):
                job.done(request, answers, time.perf_counter() - began)
        ResultSet(sent).forget()
        await self._subscribe()

    def _send(self, chunk: list[Request]) -> Any:
        return self._app.send_task("answer", args=[[_asked(request) for request in chunk]])

    async def _subscribe(self) -> None:
        self._channel = self._redis.pubsub()
        while True:
            try:
                await self._channel.psubscribe(f"{PREFIX}*")
                break
            except RedisError:
                await asyncio.sleep(PAUSE_S)
        self._reader = asyncio.create_task(self._read())

    async def _unsubscribe(self) -> None:
        self._reader.cancel()
        await self._channel.aclose()

    async def _read(self) -> None:
        async for message in self._channel.listen():
            if message["type"] != "pmessage":
                continue
            future = self._waiting.pop(message["channel"].decode().removeprefix(PREFIX), None)
            if future is None or future.done():
                continue
            found = json.loads(message["data"])
            if found["status"] == "SUCCESS":
                future.set_result(found["result"])
            else:
                future.set_exception(RuntimeError(str(found["result"])))


run(CeleryClient(sys.argv[1], sys.argv[2], int(sys.argv[3])))
