"""The client of a peer, a process of its own that is told what to do by lines of JSON.

    {"do": "ping"}                          the server has answered a question
    {"do": "prepare", "file": F, "in_flight": N, "rate": R, "seed": S}
    {"do": "go"}                            nothing but the work is done before the reply
    {"do": "collect", "file": F}            answers, times and errors are in the file

Each is replied to by {"ok": true} or {"error": "..."}.

With a rate, requests come by Poisson and their times count from when they were due; without, so many are in flight.
A request is {"ids": [...], "context": str, "questions": [...]}; putting it in the peer's form is measured as well.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict


class Request(TypedDict):
    """Questions about a context."""

    ids: list[str]
    context: str
    questions: list[str]


PING: Request = {
    "ids": ["ping"],
    "context": "The harbour froze in 1871.",
    "questions": ["When did it freeze?"],
}
PING_TIMEOUT_S = 60.0


@dataclass
class Job:
    """What is to be measured, and what came of it."""

    requests: list[Request]
    in_flight: int
    #: Requests per second; 0: a closed loop.
    rate: float
    seed: int
    answers: dict[str, str] = field(default_factory=dict)
    #: Seconds of every answered request.
    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def read(cls, path: Path, told: dict[str, Any]) -> Job:
        requests = json.loads(path.read_text(encoding="utf-8"))
        return cls(requests, told["in_flight"], told["rate"], told["seed"])

    def write(self, path: Path) -> None:
        """What came of it."""
        found = {name: getattr(self, name) for name in ("answers", "latencies", "errors", "seconds")}
        path.write_text(json.dumps(found), encoding="utf-8")

    def done(self, request: Request, answers: list[str], seconds: float) -> None:
        self.answers.update(zip(request["ids"], answers, strict=True))
        self.latencies.append(seconds)

    def failed(self, error: object) -> None:
        self.errors.append(f"{type(error).__name__}: {error}"[:300])

    def due(self) -> Iterator[tuple[Request, float]]:
        """Requests of an open loop with seconds from the beginning."""
        chance, now = random.Random(self.seed), 0.0
        for request in self.requests:
            now += chance.expovariate(self.rate)
            yield request, now


class Client:
    """A way to a server."""

    async def open(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Leave."""

    async def ask(self, request: Request) -> list[str]:
        """The answers of one request."""
        raise NotImplementedError

    async def closed(self, job: Job) -> None:
        """Put all requests, so many at a time."""
        todo = iter(job.requests)

        async def one_by_one() -> None:
            for request in todo:
                await self._timed(job, request, time.perf_counter())

        await asyncio.gather(*(one_by_one() for _ in range(job.in_flight)))

    async def open_loop(self, job: Job) -> None:
        """Put requests as they are due."""
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for request, at in job.due():
                await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
                group.create_task(self._timed(job, request, began + at))

    async def _timed(self, job: Job, request: Request, due: float) -> None:
        try:
            answers = await self.ask(request)
            job.done(request, answers, time.perf_counter() - due)
        except Exception as error:
            job.failed(error)


class _Told:
    """Does what it is told."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._job = Job([], 0, 0.0, 0)

    async def ping(self, told: dict[str, Any]) -> None:
        async with asyncio.timeout(PING_TIMEOUT_S):
            await self._client.ask(PING)

    async def prepare(self, told: dict[str, Any]) -> None:
        self._job = Job.read(Path(told["file"]), told)

    async def go(self, told: dict[str, Any]) -> None:
        began = time.perf_counter()
        await (self._client.open_loop if self._job.rate else self._client.closed)(self._job)
        self._job.seconds = time.perf_counter() - began

    async def collect(self, told: dict[str, Any]) -> None:
        self._job.write(Path(told["file"]))


async def _serve(client: Client, answers: int) -> None:
    await client.open()
    told, loop = _Told(client), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        try:
            await getattr(told, command["do"])(command)
            reply: dict[str, Any] = {"ok": True}
        except Exception as error:
            reply = {"error": repr(error)}
        os.write(answers, (json.dumps(reply) + "\n").encode())
    await client.close()


def run(client: Client) -> None:
    """Do what standard input says until it ends."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer of ours
    asyncio.run(_serve(client, answers))
