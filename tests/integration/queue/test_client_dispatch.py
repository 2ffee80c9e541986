"""The dispatcher of a queue against a real Redis and a scripted worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from spanserve.client import ClientError, NoWorker
from spanserve.client.redis import QueueConnection, QueueDispatcher
from spanserve.contract import ErrorCode, Task, TaskResult
from spanserve.queue import JobId, JobState, Producer, QueueError, RedisSettings
from tests.kit import outcomes
from tests.kit.outcomes import first_results
from tests.kit.queue_rig import QueueRig, queue_rig, queued_task
from tests.kit.redis_server import Persistence, RedisServer
from tests.kit.scripted_worker import FACTS, ScriptedWorker, answers, working
from tests.kit.waiting import eventually


@asynccontextmanager
async def connected(rig: QueueRig) -> AsyncIterator[QueueConnection]:
    connection = QueueConnection(RedisSettings(url=rig.server.url), rig.keys.name)
    try:
        yield connection
    finally:
        await connection.close()


async def run(rig: QueueRig, tasks: list[Task], **arguments: Any) -> dict[str, TaskResult]:
    """First results by task id; a second one is a failure."""
    async with connected(rig) as connection:
        return await first_results(QueueDispatcher(connection, **arguments), tasks)


def codes(result: TaskResult) -> set[ErrorCode | None]:
    return set(outcomes.codes(result))


def some(count: int, **fields: Any) -> list[Task]:
    return [queued_task(f"t{number}", **fields) for number in range(count)]


async def test_every_task_ends_once(rig: QueueRig) -> None:
    """Two workers in any order: each task is run once, its result comes once, and the queue is empty after it."""
    tasks = some(300, questions=2)
    async with (
        working(ScriptedWorker(rig.consumer("a"))) as one,
        working(ScriptedWorker(rig.consumer("b"))) as two,
    ):
        found = await run(rig, tasks)
    assert {task.id: answers(task) for task in tasks} == found
    assert [1] * 300 == list((one.runs + two.runs).values())
    assert (0, 0) == rig.depth() == rig.load()


async def test_nothing_to_do(rig: QueueRig) -> None:
    """A run without tasks needs no worker and no Redis."""
    assert {} == await run(rig, [], wait_s=0)


@pytest.mark.parametrize(
    ("tasks", "match"),
    [
        pytest.param(
            [queued_task("a"), queued_task("a")], "2 tasks have only 1 different ids", id="an id twice"
        ),
        pytest.param([queued_task("a"), queued_task("b", run_id="s")], "one run", id="two runs"),
        pytest.param([queued_task("a"), queued_task("b", tenant="x")], "one tenant", id="two tenants"),
    ],
)
async def test_what_is_no_run(rig: QueueRig, tasks: list[Task], match: str) -> None:
    """Tasks that cannot be told apart by their ids are not submitted."""
    with pytest.raises(ClientError, match=match):
        await run(rig, tasks)
    assert (0, 0) == rig.depth()


async def test_a_run_that_is_repeated(rig: QueueRig) -> None:
    """Whoever runs the same tasks again gets the results there are; nothing is computed twice."""
    async with working(ScriptedWorker(rig.consumer())) as worker:
        first = await run(rig, some(50))
        second = await run(rig, some(80))
    assert first == {name: second[name] for name in first}
    assert {f"t{number}": 1 for number in range(80)} == worker.runs


async def test_left_early(rig: QueueRig) -> None:
    """What has no result when the loop is left is withdrawn: nobody will compute it."""
    async with connected(rig) as connection:
        runs = QueueDispatcher(connection).run(some(200))
        async with working(ScriptedWorker(rig.consumer(), at_once=1)):
            assert await anext(runs)
        await runs.aclose()
    assert (0, 0) == rig.depth()
    states = {rig.state(task) for task in some(200)} - {None}  # None: not submitted yet
    assert {"done", "cancelled"} == states


async def test_left_early_to_be_resumed(rig: QueueRig) -> None:
    """What is kept stays in the queue, is computed meanwhile, and whoever resumes gets it."""
    async with connected(rig) as connection:
        runs = QueueDispatcher(connection, withdraw=False).run(some(20))
        await asyncio.gather(anext(runs), ScriptedWorker(rig.consumer(), at_once=1).one())
        await runs.aclose()
    assert 19 == rig.depth()[0]
    worker = ScriptedWorker(rig.consumer())
    while await worker.step():
        pass
    assert 20 == len(await run(rig, some(20)))
    assert 19 == worker.runs.total()


async def test_a_full_queue(bare: QueueRig) -> None:
    """A producer that is told BUSY says so, waits, and goes on where it was; the queue stays within its limit."""
    await bare.provision(max_tasks=8)
    said: list[str] = []
    async with connected(bare) as connection:
        dispatcher = QueueDispatcher(connection, tell=lambda: said.append(dispatcher.shares()))
        running = asyncio.create_task(first_results(dispatcher, some(40)))
        await eventually(lambda: bool(said))
        assert 8 == bare.depth()[0]
        async with working(ScriptedWorker(bare.consumer(), at_once=8)) as worker:
            found = await running
    assert ", the queue is full: 32 tasks wait" in said[0]
    assert "" == dispatcher.shares()
    assert 40 == len(found) == worker.runs.total()


async def test_a_tenant_at_its_quota(bare: QueueRig) -> None:
    """A tenant at its quota waits; another one does not wait with it."""
    await bare.provision(max_tenant_tasks=2)
    async with connected(bare) as connection:
        greedy = QueueDispatcher(connection)
        running = asyncio.create_task(first_results(greedy, some(6, tenant="greedy")))
        await eventually(lambda: "full" in greedy.shares())
        assert ["queued"] == await bare.submit(queued_task("other", run_id="s", tenant="modest"))
        async with working(ScriptedWorker(bare.consumer())) as worker:
            assert 6 == len(await running)
    assert 7 == worker.runs.total()


@pytest.mark.parametrize(
    ("state", "expected"),
    [(JobState.CANCELLED, ErrorCode.CANCELLED), (JobState.EXPIRED, ErrorCode.DEADLINE_EXCEEDED)],
    ids=str,
)
async def test_an_end_without_a_result(rig: QueueRig, state: JobState, expected: ErrorCode) -> None:
    """An end that leaves no result is a typed error for every question."""
    async with working(ScriptedWorker(rig.consumer(), lambda task: (state, b""))):
        found = await run(rig, some(3, questions=2))
    assert [{expected}] * 3 == [codes(result) for result in found.values()]


async def test_cancelled_by_an_operator(rig: QueueRig) -> None:
    """A task withdrawn while the client waits ends CANCELLED, the others as usual."""
    async with connected(rig) as connection:
        dispatcher = QueueDispatcher(connection)
        running = asyncio.create_task(first_results(dispatcher, some(4)))
        await eventually(lambda: rig.depth()[0] == 4)
        assert ["cancelled"] * 2 == await rig.producer.cancel(dispatcher.jobs(["t1", "t3", "stranger"]))
        async with working(ScriptedWorker(rig.consumer())) as worker:
            found = await running
    assert {"t0": {None}, "t1": {ErrorCode.CANCELLED}, "t2": {None}, "t3": {ErrorCode.CANCELLED}} == {
        name: codes(result) for name, result in found.items()
    }
    assert {"t0", "t2"} == set(worker.runs)


@pytest.mark.parametrize("events", [True, False], ids=["events kept", "events gone"])
async def test_a_result_that_was_not_fetched_in_time(rig: QueueRig, events: bool) -> None:
    """A task whose result is no longer kept is RESULT_EXPIRED for whoever asks again, and is not run again."""
    async with working(ScriptedWorker(rig.consumer())) as worker:
        await run(rig, some(5))
        rig.plain.delete(rig.keys.results("", "r"))
        if not events:
            rig.plain.delete(rig.keys.events("", "r"))
        found = await run(rig, some(6))
    assert [{ErrorCode.RESULT_EXPIRED}] * 5 + [{None}] == [codes(found[f"t{number}"]) for number in range(6)]
    assert [1] * 6 == list(worker.runs.values())


async def test_forgotten_between_event_and_fetch(rig: QueueRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that is flushed after it told of ends and before it is asked for the results costs no task its result."""
    fetch = Producer.results

    async def flush_first(producer: Producer, *asked: Any) -> dict[str, TaskResult]:
        if not worker.runs["flushed"]:
            worker.runs["flushed"] = 1
            rig.plain.flushall()
            await rig.provision()
        return await fetch(producer, *asked)

    monkeypatch.setattr(Producer, "results", flush_first)
    async with working(ScriptedWorker(rig.consumer())) as worker:
        found = await run(rig, some(20), resubmit_s=0.2)
    assert {task.id: answers(task) for task in some(20)} == found


async def test_an_id_in_use(rig: QueueRig) -> None:
    """A task whose id stands for another one ends ALREADY_EXISTS; its neighbours are not concerned."""
    async with working(ScriptedWorker(rig.consumer())):
        await run(rig, some(1))
        found = await run(rig, [replace(some(1)[0], context="Another."), queued_task("u")])
    assert ({ErrorCode.ALREADY_EXISTS}, {None}) == (codes(found["t0"]), codes(found["u"]))


async def test_something_else_than_a_result(rig: QueueRig) -> None:
    """A worker that leaves something else ends its task INTERNAL; the others keep their answers."""

    def script(task: Task) -> tuple[JobState, bytes]:
        strange = {"t3": b"\xff\xff", "t7": answers(queued_task("t8")).to_bytes()}
        return JobState.DONE, strange.get(task.id, answers(task).to_bytes())

    async with working(ScriptedWorker(rig.consumer(), script)):
        found = await run(rig, some(12))
    wrong = {name for name, result in found.items() if codes(result) != {None}}
    assert {"t3", "t7"} == wrong
    assert {ErrorCode.INTERNAL} == codes(found["t3"]) == codes(found["t7"])


async def test_entries_that_vanish(rig: QueueRig) -> None:
    """Tasks whose entries somebody deleted are submitted again after a while, and computed once."""
    async with connected(rig) as connection:
        dispatcher = QueueDispatcher(connection, resubmit_s=0.2)
        running = asyncio.create_task(first_results(dispatcher, some(10)))
        await eventually(lambda: rig.depth()[0] == 10)
        for task in some(10)[::2]:
            rig.trim(task)
        async with working(ScriptedWorker(rig.consumer())) as worker:
            assert 10 == len(await running)
    assert [1] * 10 == list(worker.runs.values())


async def test_events_that_vanish(rig: QueueRig) -> None:
    """Ends whose events are lost are found by submitting again."""
    async with connected(rig) as connection:
        running = asyncio.create_task(first_results(QueueDispatcher(connection, resubmit_s=0.2), some(3)))
        await eventually(lambda: rig.depth()[0] == 3)
        # A script ends all of them and loses their events before the client can read one.
        pipeline = rig.plain.pipeline(transaction=True)
        for task in some(3):
            pipeline.hset(rig.keys.job(JobId.of(task)), "state", "done")
            pipeline.hset(rig.keys.results("", "r"), task.id, answers(task).to_bytes())
        pipeline.expire(rig.keys.results("", "r"), 60)
        pipeline.execute()
        found = await running
    assert {task.id: answers(task) for task in some(3)} == found


async def test_a_dead_letter_that_is_replayed(rig: QueueRig) -> None:
    """A client that comes after the replay gets what became of it, not its death."""
    (task,) = some(1)
    async with working(ScriptedWorker(rig.consumer(), lambda task: (JobState.DEAD, b""))):
        assert {ErrorCode.RESULT_EXPIRED} == codes((await run(rig, [task]))["t0"])
    (letter,) = rig.dead()
    assert "queued" == await rig.producer.replay(letter["entry"].decode(), JobId.of(task))
    async with connected(rig) as connection:
        running = asyncio.create_task(first_results(QueueDispatcher(connection), [task]))
        async with working(ScriptedWorker(rig.consumer())):
            assert {"t0": answers(task)} == await running


async def test_nobody_there(rig: QueueRig) -> None:
    """Without a worker the run ends after the time it was told to wait, and leaves nothing in the queue."""
    with pytest.raises(NoWorker, match=r"within 0\.3 s \(queue q at redis://.*: no worker is alive\)"):
        await run(rig, some(3), wait_s=0.3)
    assert (0, 0) == rig.depth()


async def test_a_slow_worker_is_waited_for(rig: QueueRig) -> None:
    """As long as a worker gives signs of life the run goes on, however long a task takes."""
    consumer = rig.consumer()
    await consumer.beat(FACTS)
    async with connected(rig) as connection:
        running = asyncio.create_task(first_results(QueueDispatcher(connection, wait_s=0), some(1)))
        await eventually(lambda: rig.depth()[0] == 1)
        assert not running.done()
        async with working(ScriptedWorker(consumer)):
            assert 1 == len(await running)


async def test_no_such_queue(bare: QueueRig) -> None:
    """A client waits for a worker to make the queue, and then goes on."""
    async with connected(bare) as connection:
        dispatcher = QueueDispatcher(connection)
        running = asyncio.create_task(first_results(dispatcher, some(3)))
        await eventually(lambda: "queue q does not exist" in dispatcher.shares())
        await bare.provision()
        async with working(ScriptedWorker(bare.consumer())):
            assert 3 == len(await running)


async def test_a_flushed_redis(rig: QueueRig) -> None:
    """Whatever somebody deletes is submitted again: every task has its result."""
    async with connected(rig) as connection:
        running = asyncio.create_task(first_results(QueueDispatcher(connection, resubmit_s=0.2), some(100)))
        await eventually(lambda: rig.depth()[0] == 100)
        worker = ScriptedWorker(rig.consumer())
        await worker.step()
        rig.plain.flushall()
        await rig.provision()
        async with working(worker):
            assert 100 == len(await running)


@pytest.mark.parametrize("persistence", Persistence, ids=lambda persistence: persistence.value)
async def test_a_redis_that_dies(start_redis: Callable[..., RedisServer], persistence: Persistence) -> None:
    """A Redis that is killed and comes back, with or without its data, costs no task its result."""
    server = start_redis(persistence=persistence)
    async with queue_rig(server) as rig:
        await rig.provision()
        async with connected(rig) as connection:
            dispatcher = QueueDispatcher(connection)
            running = asyncio.create_task(first_results(dispatcher, some(200)))
            await eventually(lambda: rig.depth()[0] == 200)
            await ScriptedWorker(rig.consumer("one")).step()
            server.kill()
            await eventually(lambda: "Redis: " in dispatcher.shares())
            assert not running.done()
            server.start()
            await rig.provision()
            async with working(ScriptedWorker(rig.consumer("two"))):
                assert 200 == len(await running)


async def test_refused_by_redis(start_redis: Callable[..., RedisServer]) -> None:
    """A wrong password is an error at once, not something to wait for; it is told to nobody."""
    server = start_redis(config={"requirepass": "right"})
    settings = RedisSettings(url=server.url.replace("//", "//:wrong-one@"))
    connection = QueueConnection(settings, "q")
    try:
        with pytest.raises(QueueError, match="denies access") as caught:
            await first_results(QueueDispatcher(connection), some(1))
    finally:
        await connection.close()
    assert "wrong-one" not in f"{caught.value} {settings} {connection.name}"
