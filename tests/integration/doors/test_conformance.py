"""What every door promises, whatever its protocol: asked of each in the same words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from spanserve.bundle import Bundle
from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.doors.door import Door
from spanserve.engine import caller as sharing
from spanserve.engine.request import Request
from tests.integration.doors.callers import DOORS, WITHDRAWING, Caller, Opened, Outcome
from tests.kit import outcomes
from tests.kit.processes import PATIENCE_S
from tests.kit.redis_server import RedisServer, servers
from tests.kit.serving import Rig, rig
from tests.kit.waiting import eventually
from tests.kit.wire import make_task, make_tasks


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for the door that needs one."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), servers()[-1])
    yield server.start()
    server.close()


@pytest.fixture(params=list(DOORS.values()), ids=list(DOORS))
def opened(request: pytest.FixtureRequest) -> Opened:
    """Every door in turn."""
    door: Opened = request.param
    return door


@asynccontextmanager
async def served(
    opened: Opened, server: RedisServer, bundle: Bundle, device: str = "sim:fixed"
) -> AsyncIterator[tuple[Rig, Door, Caller]]:
    """A door on an engine, and a client."""
    server.client().flushall()
    async with rig(bundle, device) as made, opened(made, server) as (door, caller):
        yield made, door, caller


def as_sent(result: TaskResult) -> TaskResult:
    """A result as it arrives: scores are float32 on the wire."""
    return TaskResult.from_bytes(result.to_bytes())


def codes(outcome: Outcome) -> list[ErrorCode | None]:
    """Per question the error code, None for an answer; one code for a task that never became work."""
    return [outcome.code] if isinstance(outcome, Refusal) else outcomes.codes(outcome)


async def test_answers(opened: Opened, redis_server: RedisServer, sim_bundle: Bundle) -> None:
    """Every task gets the result that the engine gives it, under its own id, once."""
    tasks = make_tasks(30)
    async with served(opened, redis_server, sim_bundle) as (made, _, caller):
        expected = await made.run(*tasks)
        await caller.send(*tasks)
        for task, result in zip(tasks, expected, strict=True):
            outcome = await caller.outcome(task.id)
            assert isinstance(outcome, TaskResult)
            assert as_sent(result).questions == as_sent(outcome).questions
        assert 60 == made.engine.ended_questions


async def test_a_bad_question_costs_itself(
    opened: Opened, redis_server: RedisServer, sim_bundle: Bundle
) -> None:
    """A question at fault is refused by field; its siblings and neighbours are answered."""
    async with served(opened, redis_server, sim_bundle) as (_, _, caller):
        await caller.send(make_task("bad", "Who said?", " ", "When?"), make_task("good"))
        bad = await caller.outcome("bad")
        assert [None, ErrorCode.INVALID_ARGUMENT, None] == codes(bad)
        assert isinstance(bad, TaskResult)
        error = bad.questions[1].error
        assert error is not None
        assert "questions.text" == error.field
        assert [None] == codes(await caller.outcome("good"))


@pytest.mark.parametrize("opened", WITHDRAWING.values(), ids=WITHDRAWING)
async def test_withdrawn_tasks_are_not_computed(
    opened: Opened, redis_server: RedisServer, sim_bundle: Bundle
) -> None:
    """A task that is taken back before it runs ends CANCELLED and never reaches the device."""
    async with served(opened, redis_server, sim_bundle) as (made, _, caller):
        slots = made.block()
        await caller.send(make_task("back"), make_task("stays"))
        await made.entered(2)
        (request,) = [one for one in made.engine._requests if one.task.id == "back"]
        await caller.withdraw("back")
        await eventually(lambda: request.cancelled)
        for slot in slots:
            slot.release()
        await made.run(make_task("next"))
        assert [ErrorCode.CANCELLED] == codes(await caller.outcome("back"))
        assert [None] == codes(await caller.outcome("stays"))
        assert 2 == made.metrics.windows._value.get()


async def test_more_than_there_is_room_for(
    opened: Opened, redis_server: RedisServer, sim_bundle: Bundle
) -> None:
    """Whatever is sent, the worker holds no more than it wants and a task beyond; nothing is lost without a word."""
    tasks = make_tasks(400)
    async with served(opened, redis_server, sim_bundle, "sim:fixed?latency_ms=2") as (made, _, caller):
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, len(made.engine._requests))
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        sending = asyncio.create_task(caller.send(*tasks))
        await sending
        outcomes = [await caller.outcome(task.id) for task in tasks]
        watching.cancel()
        room = made.engine.capacity_windows
        assert most <= room + 1
        refused = {outcome.code for outcome in outcomes if isinstance(outcome, Refusal)}
        assert refused <= {ErrorCode.RESOURCE_EXHAUSTED}
        answered = [outcome for outcome in outcomes if isinstance(outcome, TaskResult)]
        assert len(answered) >= room
        assert {None} == {code for result in answered for code in codes(result)}


async def test_overload_by_several_callers(
    opened: Opened, redis_server: RedisServer, sim_bundle: Bundle
) -> None:
    """Beside another caller that sends all it can, a door's caller is answered meanwhile; the worker holds no more than
    it wants and the tasks that were on the way, and in the end nothing.
    """
    async with served(opened, redis_server, sim_bundle, "sim:fixed?latency_ms=2") as (made, _, caller):
        admission, engine = made.inside.admission, made.engine
        flood = admission.open(sharing.Caller("flood"))
        answered, sent, most = 0, 0, 0

        def pour() -> None:
            nonlocal sent, most
            admission.grant(flood)
            while flood.ready and sent - answered < 1000:
                sent += 1
                box: list[Request[Task]] = []
                task = make_task(f"f{sent}", context=f"Anna Holm said so {sent} times.")
                box.append(admission.submit(flood, task, lambda _, box=box: ended(box)))  # type: ignore[misc]
            most = max(most, len(engine._requests))

        def ended(box: list[Request[Task]]) -> None:
            nonlocal answered
            answered += 1
            admission.settle(flood, *box)
            if flood.open:
                pour()

        pour()
        tasks = make_tasks(60)
        before = answered
        for task in tasks:  # one after the other, so that none need be refused
            await caller.send(task)
            assert [None] == codes(await caller.outcome(task.id))
        print(f"60 answers, {answered - before} of the flood's meanwhile, at most {most} tasks held")
        assert most <= engine.capacity_windows + 2 * made.batcher.max_batch
        admission.close(flood)
        async with asyncio.timeout(PATIENCE_S):
            await engine.idle.wait()
        assert 0 == engine.held_windows


async def test_drain(opened: Opened, redis_server: RedisServer, sim_bundle: Bundle) -> None:
    """A door that drains takes no new task; what is on the device is brought to its end."""
    async with served(opened, redis_server, sim_bundle, "sim:fixed?latency_ms=200") as (made, door, caller):
        await caller.send(make_task("held"))
        await eventually(lambda: made.engine.batches == 1)
        async with asyncio.timeout(10):
            await door.drain()
        await caller.send(make_task("late"))
        assert [None] == codes(await caller.outcome("held"))
        await made.engine.idle.wait()
        assert 1 == made.metrics.windows._value.get()


async def test_a_client_that_vanishes(opened: Opened, redis_server: RedisServer, sim_bundle: Bundle) -> None:
    """When a client has gone nothing is held for it for ever, and the next one is served."""
    async with served(opened, redis_server, sim_bundle) as (made, _, caller):
        slots = made.block()
        await caller.send(*make_tasks(5))
        await made.entered(5)
        await caller.vanish()
        for slot in slots:
            slot.release()
        await made.run(make_task("next"))
        async with asyncio.timeout(PATIENCE_S):
            await made.engine.idle.wait()
        assert 0 == made.engine.held_windows


async def test_a_device_that_comes_back(
    opened: Opened, redis_server: RedisServer, sim_bundle: Bundle
) -> None:
    """Tasks of a door outlive a device host, whether they wait here or were given back meanwhile."""
    async with served(opened, redis_server, sim_bundle) as (made, door, caller):
        slots = made.block()
        await caller.send(*make_tasks(5))
        await made.entered(5)
        door.give_back()
        for slot in slots:
            slot.release()
        await made.run(make_task("next"))
        assert [[None]] * 5 == [codes(await caller.outcome(f"t{number}")) for number in range(5)]


async def test_close(opened: Opened, redis_server: RedisServer, sim_bundle: Bundle) -> None:
    """A door that has answered closes, and closing it again does nothing."""
    async with served(opened, redis_server, sim_bundle) as (made, door, caller):
        await caller.send(make_task("before"))
        assert [None] == codes(await caller.outcome("before"))
        await door.close("once")
        await door.close("twice")
        assert made.engine.idle.is_set()
