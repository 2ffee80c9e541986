"""What every transport of the client does: gRPC and Redis with a scripted worker behind them, and the one in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import pytest

from spanserve.client import AsyncClient, ClientError, NoWorker, Transport
from spanserve.client.grpc import PLAINTEXT, GrpcTransport
from spanserve.client.redis import RedisTransport
from spanserve.client.testing import InMemoryTransport
from spanserve.contract import QuestionResult, Refusal, Task, TaskResult
from spanserve.queue import JobState, QueueConfig, RedisSettings, provision
from tests.kit.frame_server import frame_server
from tests.kit.frame_worker import FrameWorker, Script
from tests.kit.queue_rig import QueueRig, queue_rig
from tests.kit.redis_server import RedisServer
from tests.kit.scripted_worker import ScriptedWorker, answers, working
from tests.kit.wire import make_task, make_tasks

REFUSAL = Refusal.invalid("context", "nothing that could be asked about", value="1 word", limit="2 words")
#: Seconds that a transport with a worker would wait for one.
WAIT_S = 30.0


@dataclass(slots=True)
class Way:
    """A transport, what its worker makes of tasks, and what it was asked."""

    script: Script = answers
    asked: list[Task] = field(default_factory=list)
    transport: Transport = field(init=False)
    #: One of the same kind that has nobody behind it and does not wait.
    deserted: Transport = field(init=False)
    #: Whether tasks can be withdrawn by their ids.
    cancels: bool = True

    def run(self, task: Task) -> TaskResult | Refusal:
        self.asked.append(task)
        return self.script(task)


@contextlib.asynccontextmanager
async def over_grpc(way: Way) -> AsyncIterator[None]:
    way.cancels = False
    async with frame_server(FrameWorker(way.run)) as address:
        way.transport = GrpcTransport([address], PLAINTEXT, WAIT_S)
        way.deserted = GrpcTransport(["127.0.0.1:1"], PLAINTEXT, 0.0)
        yield


@contextlib.asynccontextmanager
async def over_redis(way: Way, server: RedisServer) -> AsyncIterator[None]:
    settings = RedisSettings(url=server.url)

    def end(task: Task) -> tuple[JobState, bytes]:
        outcome = way.run(task)
        if isinstance(outcome, Refusal):
            return JobState.FAILED, TaskResult.refused(task, outcome).to_bytes()
        return JobState.DONE, outcome.to_bytes()

    async with queue_rig(server) as rig:
        await rig.provision()
        await provision(rig.redis, QueueRig(server, "empty").keys, QueueConfig())
        way.transport = RedisTransport(settings, rig.keys.name, WAIT_S)
        way.deserted = RedisTransport(settings, "empty", 0.0)
        async with working(ScriptedWorker(rig.consumer(), end)):
            yield


@contextlib.asynccontextmanager
async def in_memory(way: Way) -> AsyncIterator[None]:
    def script(task: Task) -> TaskResult:
        outcome = way.run(task)
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    way.transport = InMemoryTransport(script)
    way.deserted = deserted = InMemoryTransport(script)
    deserted.ready = False
    yield


@pytest.fixture(params=["grpc", "redis", "in-memory"])
async def way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    made = Way()
    if request.param == "grpc":
        opened = over_grpc(made)
    elif request.param == "redis":
        start: Callable[[], RedisServer] = request.getfixturevalue("start_redis")
        opened = over_redis(made, start())
    else:
        opened = in_memory(made)
    async with opened:
        try:
            yield made
        finally:
            for transport in (made.transport, made.deserted):
                await transport.close()
                await transport.close()  # does nothing


async def streamed(transport: Transport, tasks: list[Task]) -> dict[str, TaskResult]:
    """Results by task id; a second one is a failure."""
    found: dict[str, TaskResult] = {}
    async for results in transport.stream().run(tasks):
        for result in results:
            assert result.id not in found
            found[result.id] = result
    return found


def half_refused(task: Task) -> TaskResult:
    """The last question has an error."""
    made = answers(task)
    last = QuestionResult(made.questions[-1].id, error=REFUSAL)
    return replace(made, questions=(*made.questions[:-1], last))


async def test_answer(way: Way) -> None:
    """A task is answered: every question once, in order."""
    task = make_task("t", "Who?", "When?")
    assert answers(task) == await way.transport.answer(task)
    assert ["t"] == [asked.id for asked in way.asked]


async def test_answer_with_an_error_in_it(way: Way) -> None:
    """An error of one question is its result; the others have answers."""
    way.script = half_refused
    task = make_task("t", "Who?", "When?")
    assert half_refused(task) == await way.transport.answer(task)


async def test_answer_is_refused(way: Way) -> None:
    """A task that is refused raises why, with all that the worker said of it."""
    way.script = lambda task: REFUSAL
    with pytest.raises(Refusal) as caught:
        await way.transport.answer(make_task("t", "Who?", "When?"))
    assert caught.value == REFUSAL


async def test_every_task_ends_once(way: Way) -> None:
    """Every task of a stream has one result, and it is its own."""
    tasks = make_tasks(200)
    assert {task.id: answers(task) for task in tasks} == await streamed(way.transport, tasks)
    assert {task.id for task in tasks} == {task.id for task in way.asked}


async def test_a_run(way: Way) -> None:
    """Results say which run they are of."""
    tasks = [replace(task, run_id="r1") for task in make_tasks(3)]
    found = await streamed(way.transport, tasks)
    assert ["r1"] * 3 == [result.run_id for result in found.values()]


async def test_a_refused_task_stops_no_other(way: Way) -> None:
    """In a stream a refused task is a result like others: the error of each of its questions."""
    way.script = lambda task: REFUSAL if task.id == "t1" else answers(task)
    found = await streamed(way.transport, make_tasks(4))
    assert {"t0", "t1", "t2", "t3"} == set(found)
    assert [REFUSAL] == [question.error for question in found["t1"].questions]
    assert all(result.questions[0].answer for name, result in found.items() if name != "t1")


async def test_ids_twice(way: Way) -> None:
    """Two tasks of a stream with one id are refused before anything is sent."""
    with pytest.raises(ClientError, match="3 tasks have only 2 different ids"):
        await streamed(way.transport, [make_task("a"), make_task("b"), make_task("a")])
    assert [] == way.asked


async def test_nothing_to_do(way: Way) -> None:
    """A stream without tasks needs no worker."""
    assert {} == await streamed(way.deserted, [])


async def test_streams_do_not_meet(way: Way) -> None:
    """Two streams at once with the same ids get the results of their own tasks."""
    ours = [make_task(f"t{number}", context=f"Anna {number}.") for number in range(20)]
    theirs = [make_task(f"t{number}", context=f"Ben {number}.") for number in range(20)]
    found, others = await asyncio.gather(streamed(way.transport, ours), streamed(way.transport, theirs))
    assert {task.id: answers(task) for task in ours} == found
    assert {task.id: answers(task) for task in theirs} == others


async def test_leaving_early(way: Way) -> None:
    """Who leaves a stream withdraws what has no result; the transport goes on."""
    async with contextlib.aclosing(way.transport.stream().run(make_tasks(5000))) as arriving:
        assert await anext(arriving)
    assert len(way.asked) < 5000
    assert {"u"} == set(await streamed(way.transport, [make_task("u")]))


async def test_describe(way: Way) -> None:
    """A worker says that it is ready, under the same name every time."""
    found = await way.transport.wait_ready()
    assert [True] == [status.ready for status in found.values()]
    for described in (way.transport.describe, way.transport.before, way.transport.after):
        assert found.keys() == (await described()).keys()


async def test_no_worker(way: Way) -> None:
    """Without a worker in time every call says so, and nobody is described."""
    assert {} == await way.deserted.describe()
    with pytest.raises(NoWorker, match=r"within 0 s"):
        await way.deserted.wait_ready()
    with pytest.raises(NoWorker):
        await way.deserted.answer(make_task())
    with pytest.raises(NoWorker):
        await streamed(way.deserted, [make_task()])


async def test_cancel(way: Way) -> None:
    """Tasks are withdrawn by their ids, or the transport says that it cannot."""
    if not way.cancels:
        with pytest.raises(ClientError, match="only tasks in a queue"):
            await way.transport.cancel(["t0"], "", "")
        return
    await streamed(way.transport, [replace(make_task("t0"), run_id="r1")])
    assert {"t0": "ended", "x": "unknown"} == await way.transport.cancel(["t0", "x"], "r1", "")


async def test_client(way: Way) -> None:
    """The Python API over it: questions are answered in order."""
    client = AsyncClient(transport=way.transport)
    found = await client.ask("Anna Holm said.", ["Who?", "What?"])
    assert [("0", "Anna"), ("1", "Anna")] == [(r.id, r.answer.best.text) for r in found if r.answer]
    found_all = [result async for result in client.answer_all(make_tasks(10))]
    assert 10 == len({result.id for result in found_all})
