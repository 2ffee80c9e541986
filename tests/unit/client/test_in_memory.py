"""The transport without a network; what it shares with others is in tests/integration/client/test_transports.py."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace

import pytest

from spanserve.client import AsyncClient, Client, ErrorCode, NoWorker, Refusal, TaskResult
from spanserve.client.testing import InMemoryTransport, async_client_answering, client_answering, scripted
from tests.kit.wire import CONTEXT, make_task, make_tasks


def first_word(context: str, question: str) -> str:
    if question == "?":
        raise Refusal.invalid("questions.text", "says nothing")
    return context.split()[0]


def test_plain_code() -> None:
    """A function of context and question answers a client; what it finds stands where it says."""
    with client_answering(first_word) as client:
        answered, refused = client.ask(CONTEXT, ["Who said?", "?"])
        assert answered.answer is not None
        best = answered.answer.best
        assert ("Anna", "Anna") == (best.text, CONTEXT[best.start : best.end])
        assert refused.error == Refusal.invalid("questions.text", "says nothing")
        assert 20 == len(list(client.answer_all(make_tasks(20))))
        assert all(status.ready for status in client.describe().values())


async def test_asyncio() -> None:
    """The same from asyncio."""
    async with async_client_answering(first_word) as client:
        assert ["t0", "t1"] == [result.id async for result in client.answer_all(make_tasks(2))]


@pytest.mark.parametrize("text", ["Ben", ""])
async def test_an_answer_from_nowhere(text: str) -> None:
    """An answer that no worker would give is the test's mistake, and is raised."""
    async with async_client_answering(lambda context, question: text) as client:
        with pytest.raises(ValueError, match=re.escape(f"the answer {text!r} is not in the context")):
            await client.ask(CONTEXT, ["Who said?"])


def test_the_worker_goes() -> None:
    """A program can be tested without a worker, from the start or in the middle of a stream."""
    transport = InMemoryTransport(scripted(first_word))
    with Client(connect=lambda: _client(transport)) as client:
        results = client.answer_all(make_tasks(3))
        assert "t0" == next(results).id
        transport.ready = False
        with pytest.raises(NoWorker):
            next(results)
        assert {} == client.describe()
        transport.ready = True
        assert "t" == client.answer(make_task("t")).id
    assert ["t0", "t"] == [task.id for task in transport.asked]


async def test_cancel() -> None:
    """What is withdrawn while a stream runs ends CANCELLED in it, and the script is not asked."""
    transport = InMemoryTransport(scripted(first_word))
    tasks = [replace(task, run_id="r") for task in make_tasks(4)]
    async with contextlib.aclosing(transport.stream().run(tasks)) as arriving:
        (first,) = await anext(arriving)
        assert {"t0": "ended", "t2": "cancelled", "x": "unknown"} == await transport.cancel(
            ["t0", "t2", "x"], "", ""
        )
        assert {"t3": "unknown"} == await transport.cancel(["t3"], "another-run", "")
        found = [first] + [result async for results in arriving for result in results]
    assert [None, None, ErrorCode.CANCELLED, None] == [_code(result) for result in found]
    assert ["t0", "t1", "t3"] == [task.id for task in transport.asked]
    assert {"t2": "ended"} == await transport.cancel(["t2"], "r", "")


def _client(transport: InMemoryTransport) -> AsyncClient:
    return AsyncClient(transport=transport)


def _code(result: TaskResult) -> ErrorCode | None:
    error = result.questions[0].error
    return error.code if error else None
