"""spanserve's own client: `spanserve_client.py WAY ADDRESS...`.

Way `answer`: each request is a call of its own, interactive where requests come at their own times, else bulk. Way
`answer_all`: all is handed over, and the worker's credit decides. An address is HOST:PORT or redis://HOST:PORT.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from peer_client import Client, Job, Request, run

from spanserve.client import AsyncClient
from spanserve.contract import Priority, Question, Task

QUEUE = "peers"
TIMEOUT_MS = 120_000


class SpanserveClient(Client):
    def __init__(self, way: str, addresses: Sequence[str]) -> None:
        self._way, self._addresses = way, addresses
        self._priority = Priority.INTERACTIVE
        self._number = 0

    async def open(self) -> None:
        first = self._addresses[0]
        self._client = (
            AsyncClient.from_redis(first, QUEUE)
            if first.startswith("redis:")
            else AsyncClient(*self._addresses)
        )
        await self._client.wait_ready()

    async def close(self) -> None:
        await self._client.close()

    async def ask(self, request: Request) -> list[str]:
        result = await self._client.answer(self._task(request))
        return [question.answer.best.text for question in result.questions if question.answer is not None]

    async def open_loop(self, job: Job) -> None:
        self._priority = Priority.INTERACTIVE
        await super().open_loop(job)

    async def closed(self, job: Job) -> None:
        self._priority = Priority.BULK
        if self._way == "answer":
            await super().closed(job)
            return
        began = time.perf_counter()
        tasks = {task.id: (task, request) for request in job.requests for task in [self._task(request)]}
        async for result in self._client.answer_all(task for task, _ in tasks.values()):
            found = [
                question.answer.best.text for question in result.questions if question.answer is not None
            ]
            if len(found) == len(result.questions):
                job.done(tasks[result.id][1], found, time.perf_counter() - began)
            else:
                job.failed(
                    next(question.error for question in result.questions if question.error is not None)
                )

    def _task(self, request: Request) -> Task:
        self._number += 1
        asked = zip(request["ids"], request["questions"], strict=True)
        return Task(
            id=f"t{self._number}",
            context=request["context"],
            questions=tuple(Question(name, text) for name, text in asked),
            timeout_ms=TIMEOUT_MS,
            priority=self._priority,
        )


run(SpanserveClient(sys.argv[1], sys.argv[2:]))
