"""Who asks: one caller for each door, with connections that stay or come anew as its users' do."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

from grpc import aio

from spanserve.client import AsyncClient
from spanserve.contract import Question, Task
from tests.kit.http import open_lines, request
from tests.kit.json_tasks import task_to_json
from tests.kit.oip import call, infer_request, qa_tensors
from tests.kit.wire import open_raw

#: Questions of a task, rows of an Open Inference request.
QUESTIONS, ROWS = 4, 16
#: Of the HTTP questions, one task in so many is a request of its own; the others are lines of one.
SINGLE = 8
#: Words of the contexts. They are few, so that what the worker remembers of words is full early.
_WORDS = ("the", "harbour", "froze", "in", "1871", "anna", "holm", "said", "when", "did", "who")

#: Asks so many questions, and sees that each is answered.
Ask = Callable[[int], Awaitable[None]]


class Tasks:
    """Tasks with contexts of which no two among thousands are equal."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def context(self) -> str:
        number = next(self._numbers)
        digits = [(number // len(_WORDS) ** place) % len(_WORDS) for place in range(5)]
        return (
            " ".join(_WORDS[digit] for digit in digits) + ", Anna Holm said the harbour froze in 1871. " * 6
        )

    def make(self, count: int, run_id: str = "") -> Iterator[Task]:
        """Tasks with so many questions in all."""
        for at in range(0, count, QUESTIONS):
            asked = tuple(Question(f"q{n}", "When did it freeze?") for n in range(min(QUESTIONS, count - at)))
            yield Task(id=f"t{at}", run_id=run_id, context=self.context(), questions=asked)


async def stream(client: AsyncClient, tasks: list[Task]) -> None:
    """Ask by a client of ours."""
    count = 0
    async for result in client.answer_all(tasks):
        assert all(question.error is None for question in result.questions), result
        count += 1
    assert count == len(tasks)


async def lines(address: str, tasks: list[Task]) -> None:
    """Ask over HTTP, as lines of one request."""
    async with open_lines(address) as sent:
        for task in tasks:
            await sent.send(task_to_json(task))
        sent.end()
        found = [line async for line in sent.lines()]
    assert len(found) == len(tasks)
    assert not [line for line in found if "error" in line or any("error" in one for one in line["questions"])]


async def single(address: str, task: Task) -> None:
    """Ask over HTTP, in a request of its own."""
    status, _, body = await request(address, "POST", "/v1/answer", task_to_json(task))
    assert 200 == status, body


async def rows(channel: aio.Channel, made: Tasks, count: int) -> None:
    """Ask by the Open Inference Protocol."""
    for at in range(0, count, ROWS):
        tensors = qa_tensors(*(("When did it freeze?", made.context()) for _ in range(min(ROWS, count - at))))
        response = await call(channel, "ModelInfer", infer_request("qa", tensors))
        assert 6 == len(response.outputs)


@asynccontextmanager
async def askers(grpc_address: str, http_address: str, redis_url: str) -> AsyncIterator[dict[str, Ask]]:
    """Callers by the name of their door."""
    made, runs = Tasks(), itertools.count()
    async with (
        AsyncClient(grpc_address) as over_grpc,
        AsyncClient.from_redis(redis_url) as through_redis,
        open_raw(grpc_address) as channel,
    ):

        async def ask_http(count: int) -> None:
            tasks = list(made.make(count))
            await lines(http_address, tasks[len(tasks) // SINGLE :])
            for task in tasks[: len(tasks) // SINGLE]:
                await single(http_address, task)

        yield {
            "gRPC": lambda count: stream(over_grpc, list(made.make(count))),
            "Redis": lambda count: stream(through_redis, list(made.make(count, f"run{next(runs)}"))),
            "OIP": lambda count: rows(channel, made, count),
            "HTTP": ask_http,
        }
