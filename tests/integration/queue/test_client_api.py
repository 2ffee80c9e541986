"""The Python API through a queue: ask, answer, stream, cancel, describe."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from spanserve.client import AsyncClient, Client, ClientError, NoWorker
from spanserve.client.redis import RedisTransport
from spanserve.client.redis import dispatch as dispatch_module
from spanserve.client.redis import transport as transport_module
from spanserve.contract import ErrorCode, Priority, Refusal, State, Task, TaskResult, WorkerStatus
from spanserve.queue import JobState, RedisSettings
from tests.kit.queue_rig import QueueRig, queued_task
from tests.kit.scripted_worker import FACTS, ScriptedWorker, answers, working
from tests.kit.waiting import eventually


@asynccontextmanager
async def client_of(rig: QueueRig, wait_s: float = 60.0) -> AsyncIterator[AsyncClient]:
    async with AsyncClient.from_redis(rig.server.url, rig.keys.name, wait_s=wait_s) as client:
        yield client


async def test_ask(rig: QueueRig) -> None:
    """Questions are answered in order, in the interactive class, and each call in a run of its own."""
    worker = ScriptedWorker(rig.consumer())
    async with client_of(rig) as client, working(worker):
        first = await client.ask("Anna Holm said.", ["Who?", "What?"])
        again = await client.ask("Ben said.", ["Who?"])
    assert ["0", "1"] == [result.id for result in first]
    assert ["Anna", "Anna", "Ben"] == [r.answer.best.text for r in (*first, *again) if r.answer is not None]


async def test_ask_goes_before_bulk(rig: QueueRig) -> None:
    """Somebody who asks is served before the bulk that waits; the bulk is served all the same."""
    async with client_of(rig) as client:
        bulk = asyncio.create_task(_all(client, [queued_task(f"b{number}") for number in range(40)]))
        await eventually(lambda: rig.depth()[0] == 40)
        asking = asyncio.create_task(client.ask("Anna Holm said.", ["Who?"]))
        await eventually(lambda: rig.depth()[0] == 41)
        worker = ScriptedWorker(rig.consumer(), at_once=4)
        async with working(worker):
            await asking
            assert 40 == len(await bulk)
    assert worker.order.index("ask") < 4


async def test_plain_code(rig: QueueRig) -> None:
    """`Client` does the same from plain code."""

    def use() -> tuple[list[str], int, list[str]]:
        with Client.from_redis(rig.server.url, "q") as client:
            names = list(client.wait_ready())
            (result,) = client.ask("Anna Holm said.", ["Who?"])
            assert result.answer is not None
            found = list(client.answer_all([queued_task(f"t{number}") for number in range(20)]))
            assert {"t1": "ended"} == client.cancel(["t1"], run_id="r")
            return names, len(found), [result.answer.best.text]

    async with working(ScriptedWorker(rig.consumer("c"))):
        assert (["c"], 20, ["Anna"]) == await asyncio.to_thread(use)


async def test_tasks_without_a_run(rig: QueueRig) -> None:
    """Tasks of two clients with the same ids and no run do not meet; results carry what the tasks did."""
    tasks = {text: queued_task(run_id="", context=text) for text in ("Anna said.", "Ben said.")}
    async with client_of(rig) as one, client_of(rig) as two, working(ScriptedWorker(rig.consumer())):
        found = await asyncio.gather(*(_all(c, [t]) for c, t in zip((one, two), tasks.values(), strict=True)))
    assert [[answers(task)] for task in tasks.values()] == found


async def test_cancel_what_runs(rig: QueueRig) -> None:
    """Ids without a run are those that the client waits for; they end CANCELLED."""
    async with client_of(rig) as client:
        running = asyncio.create_task(_all(client, [queued_task(f"t{n}", run_id="") for n in range(3)]))
        await eventually(lambda: rig.depth()[0] == 3)
        assert {"t0": "cancelled", "u": "unknown"} == await client.cancel(["t0", "u"])
        async with working(ScriptedWorker(rig.consumer())):
            found = {result.id: result.questions[0].error for result in await running}
    assert found["t0"] is not None
    assert ErrorCode.CANCELLED is found["t0"].code
    assert [None, None] == [found["t1"], found["t2"]]
    with pytest.raises(ClientError, match="only tasks in a queue"):
        await AsyncClient("localhost:1").cancel(["t0"])


async def test_answer_is_refused(rig: QueueRig) -> None:
    """An error that all questions of a task share is the task's, raised as it is over gRPC."""
    worker = ScriptedWorker(rig.consumer(), lambda task: (JobState.EXPIRED, b""))
    async with client_of(rig) as client, working(worker):
        with pytest.raises(Refusal, match="DEADLINE_EXCEEDED"):
            await client.answer(queued_task())


async def test_answer_in_time_or_not_at_all(rig: QueueRig) -> None:
    """A task that nobody takes within its time is withdrawn and refused, though no worker is there to say so."""
    async with client_of(rig) as client:
        with pytest.raises(Refusal, match="no worker took the task in time"):
            await client.answer(queued_task(timeout_ms=1, priority=Priority.INTERACTIVE))
    assert (0, 0) == rig.depth()


async def test_no_such_queue(
    bare: QueueRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asks a queue that does not exist is told so while waiting, once, and by the error at the end."""
    monkeypatch.setattr(transport_module, "LONELY_S", 0.0)
    monkeypatch.setattr(dispatch_module, "LONELY_S", 0.0)
    said = (
        "queue q does not exist: a worker creates it when it starts (spanserve worker --redis URL --queue q)"
    )
    async with client_of(bare, wait_s=0.3) as client:
        with pytest.raises(NoWorker, match=rf"no worker was ready within .*: {re.escape(said)}"):
            await client.wait_ready()
        with pytest.raises(NoWorker, match=rf"no worker could be reached within .*: {re.escape(said)}"):
            await _all(client, [queued_task()])
    async with client_of(bare) as client:
        with pytest.raises(Refusal, match=rf"no worker took the task in time: {re.escape(said)}"):
            await client.answer(queued_task(timeout_ms=1))
    assert [f"waiting: {said}"] * 2 == [record.getMessage() for record in caplog.records]


async def test_streams_say_what_they_wait_for(
    rig: QueueRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream over which nobody watches logs that no worker is there; once one is, it ends as always."""
    monkeypatch.setattr(transport_module, "LONELY_S", 0.0)
    monkeypatch.setattr(dispatch_module, "LONELY_S", 0.0)
    async with client_of(rig) as client:
        asking = asyncio.create_task(_all(client, [queued_task()]))
        await eventually(lambda: bool(caplog.records))
        async with working(ScriptedWorker(rig.consumer())):
            assert 1 == len(await asking)
    assert ["waiting: no worker is alive"] == [record.getMessage() for record in caplog.records]


async def test_leaving_withdraws(rig: QueueRig) -> None:
    """Leaving the loop over `answer_all` cancels what has no result."""
    tasks = [queued_task(f"t{number}") for number in range(50)]
    async with client_of(rig) as client, contextlib.aclosing(client.answer_all(tasks)) as results:
        await asyncio.gather(anext(results), ScriptedWorker(rig.consumer(), at_once=1).one())
    assert (0, 0) == rig.depth()
    assert "cancelled" in {rig.state(task) for task in tasks}


async def test_describe(rig: QueueRig) -> None:
    """A worker's beat is told by the consumer's name."""
    async with client_of(rig) as client:
        assert {} == await client.describe()
        await rig.consumer("c1").beat({**FACTS, "useful_tokens": 7, "max_batch_size": "x", "novelty": "y"})
        assert {
            "c1": WorkerStatus(
                worker="scripted",
                device="none",
                state=State.READY,
                useful_tokens=7,
                questions_per_s=10.0,
            )
        } == await client.describe()


@pytest.mark.parametrize(
    ("state", "match"),
    [
        pytest.param("", "no worker is alive", id="none"),
        pytest.param("starting", "c: starting", id="loading"),
    ],
)
async def test_wait_ready(rig: QueueRig, state: str, match: str) -> None:
    """When no worker gets ready in time, the error says which queue, and what its workers do."""
    if state:
        await rig.consumer("c").beat({**FACTS, "state": state})
    async with client_of(rig, wait_s=0) as client:
        with pytest.raises(NoWorker, match=rf"queue q at redis://.*{match}"):
            await client.wait_ready()


@pytest.mark.parametrize(
    ("after_s", "expected"),
    [
        pytest.param(0.0, ["waiting: no worker is alive"], id="long"),
        pytest.param(3600.0, [], id="a moment"),
    ],
)
async def test_told_while_waiting(
    rig: QueueRig, monkeypatch: pytest.MonkeyPatch, after_s: float, expected: list[str]
) -> None:
    """Who waits long hears once what for; who waits a moment, as for the first beat of a worker, hears nothing."""
    monkeypatch.setattr(transport_module, "LONELY_S", after_s)
    heard: list[str] = []
    transport = RedisTransport(RedisSettings(url=rig.server.url), rig.keys.name, 0.5, heard.append)
    with pytest.raises(NoWorker):
        await transport.wait_ready()
    await transport.close()
    assert expected == heard


async def test_no_redis() -> None:
    """Without a Redis nothing is described, and waiting for a worker ends with the reason."""
    async with AsyncClient.from_redis("redis://127.0.0.1:1", wait_s=0) as client:
        assert {} == await client.describe()
        with pytest.raises(NoWorker, match="Redis: "):
            await client.wait_ready()


async def _all(client: AsyncClient, tasks: list[Task]) -> list[TaskResult]:
    return [result async for result in client.answer_all(tasks)]
