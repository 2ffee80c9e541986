"""Callers over HTTP and the Open Inference Protocol, in the middle of all that happens to workers.

Each asks one question at a time, of one worker after another until it is answered. What it is given must be the answer
that it gets where nothing happens, or an error that says to ask again.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from spanserve.bundle import Bundle
from spanserve.contract import Question, Refusal, Task
from tests.faults.oracle import answers_without_faults
from tests.kit.http import request
from tests.kit.json_tasks import refusal_from_json, result_from_json, task_to_json
from tests.kit.oip import call, columns, infer_request, qa_tensors
from tests.kit.wire import open_raw

#: Questions that are asked again and again; seconds that a worker has for an answer, and between two tries.
QUESTIONS = 32
ANSWER_S = 20.0
AGAIN_S = 0.2
#: Callers at each door.
CALLERS = 2

#: Text, start and end of an answer.
Found = tuple[str, int, int]


class AskAgain(Exception):
    """There is no answer here and now."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a worker listens, whichever process it is."""

    grpc: str
    http: str


@dataclass
class Callers:
    """Who asks, until told that it is over."""

    chance: random.Random
    addresses: Sequence[Address]
    right: dict[Task, Found]
    #: Questions answered at each door, and tries without an answer.
    answered: Counter[str] = field(default_factory=Counter)
    in_vain: Counter[str] = field(default_factory=Counter)

    async def ask(
        self, door: str, ask: Callable[[Address, Task], Awaitable[Found]], over: asyncio.Event
    ) -> None:
        """Ask one question after the other, each until it is answered."""
        for task in itertools.cycle(self.right):
            if over.is_set():
                return
            assert self.right[task] == await self._answer(door, ask, task), f"{door}: {task.context!r}"
            self.answered[door] += 1

    async def _answer(self, door: str, ask: Callable[[Address, Task], Awaitable[Found]], task: Task) -> Found:
        while True:
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await ask(self.chance.choice(self.addresses), task)
            except (AskAgain, OSError, TimeoutError):
                self.in_vain[door] += 1
                await asyncio.sleep(AGAIN_S)


async def over_http(address: Address, task: Task) -> Found:
    """The answer to a question in a request of its own."""
    status, _, body = await request(address.http, "POST", "/v1/answer", task_to_json(task))
    content = json.loads(body)
    if 200 != status:
        raise _again(refusal_from_json(content))
    (question,) = result_from_json(content).questions
    if question.answer is None:
        assert question.error is not None
        raise _again(question.error)
    best = question.answer.best
    return best.text, best.start, best.end


async def over_oip(address: Address, task: Task) -> Found:
    """The answer to a row of its own."""
    tensors = qa_tensors((task.questions[0].text, task.context))
    async with open_raw(address.grpc) as channel:
        try:
            found = columns(await call(channel, "ModelInfer", infer_request("qa", tensors)))
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED):
                raise AskAgain from error
            raise
    text, start, end = (found[name].flat[0] for name in ("answer", "start", "end"))
    return text.decode(), int(start), int(end)


def _again(refusal: Refusal) -> Exception:
    return AskAgain() if refusal.code.retryable else refusal


DOORS = {"HTTP": over_http, "OIP": over_oip}


@asynccontextmanager
async def callers(
    chance: random.Random, bundle: Bundle, addresses: Sequence[Address]
) -> AsyncIterator[Callers]:
    """Callers at these doors until the end of the block; each of them gets the answer to its last question."""
    tasks = [
        Task(
            id=f"c{number}",
            context=f"Anna Holm said {number} boats froze.",
            questions=(Question(f"c{number}/0", "Who said?"),),
        )
        for number in range(QUESTIONS)
    ]
    expected = answers_without_faults(bundle, tasks)
    right: dict[Task, Found] = {}
    for task in tasks:
        answer = expected[task.id][0].answer
        assert answer is not None
        right[task] = answer.best.text, answer.best.start, answer.best.end
    asking = Callers(chance, addresses, right)
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for door, ask in DOORS.items():
            for _ in range(CALLERS):
                group.create_task(asking.ask(door, ask, over))
        try:
            yield asking
        finally:
            over.set()
