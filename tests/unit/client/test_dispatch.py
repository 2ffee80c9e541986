"""The dispatcher: who gets work, who is left out, and that every task ends once. Its workers are in memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from spanserve.client import ClientError, Dispatcher, NoWorker, OtherModel
from spanserve.contract import ErrorCode, Question, Refusal, State, Task, TaskResult
from spanserve.contract.limits import MAX_TASK_BYTES
from tests.kit.clock import Clock
from tests.kit.frame_worker import FrameWorker, dial_to
from tests.kit.outcomes import codes, first_results
from tests.kit.scripted_worker import answers
from tests.kit.waiting import eventually
from tests.kit.wire import make_task, make_tasks

ONE, OTHER = "unix:/one", "unix:/other"


def dispatcher_of(*workers: FrameWorker, **arguments: Any) -> Dispatcher:
    """A dispatcher over workers at ONE and OTHER."""
    reached = dict(zip((ONE, OTHER), workers, strict=False))
    return Dispatcher(list(reached), dial=dial_to(reached), chance=random.Random(1), **arguments)


def test_no_address() -> None:
    """Without an address there is nothing to dispatch to."""
    with pytest.raises(ClientError, match="no worker address"):
        Dispatcher([])


async def test_ids_twice() -> None:
    """Two tasks with one id are refused before anything is sent."""
    worker = FrameWorker()
    with pytest.raises(ClientError, match="3 tasks have only 2 different ids"):
        await first_results(dispatcher_of(worker), [make_task("a"), make_task("b"), make_task("a")])
    assert [] == worker.delivered


async def test_nothing_to_do() -> None:
    """A run without tasks needs no worker."""
    assert {} == await first_results(Dispatcher([ONE], dial=dial_to({}), wait_s=0.0), [])


async def test_nobody_there() -> None:
    """When no worker comes within the time, the error names every address and why it failed."""
    away, loading = FrameWorker(), FrameWorker()
    away.state, loading.state = None, State.STARTING
    clock = Clock(0.0)
    dispatcher = dispatcher_of(away, loading, wait_s=60.0, clock=clock)
    running = asyncio.create_task(first_results(dispatcher, make_tasks(3)))
    await eventually(lambda: all("UNAVAILABLE" in worker.problem for worker in dispatcher.connections))
    clock.now = 61.0
    with pytest.raises(NoWorker) as caught:
        await running
    assert "no worker could be reached within 60 s" in str(caught.value)
    assert f"{ONE}: UNAVAILABLE: nobody listens" in str(caught.value)
    assert f"{OTHER}: UNAVAILABLE: the worker is starting" in str(caught.value)


async def test_a_late_worker_joins() -> None:
    """A worker that comes up while the client waits is found, and does all the work."""
    worker = FrameWorker()
    worker.state = None
    dispatcher = dispatcher_of(worker)
    running = asyncio.create_task(first_results(dispatcher, make_tasks(50)))
    await eventually(lambda: "nobody listens" in dispatcher.connections[0].problem)
    worker.state = State.READY
    assert 50 == len(await running)
    assert 50 == dispatcher.connections[0].answered
    assert "" == dispatcher.shares()


async def test_two_workers_share() -> None:
    """Two workers both answer, nobody is sent more than was granted, and each task ends once."""
    one, other = FrameWorker(), FrameWorker()
    dispatcher = Dispatcher([ONE, OTHER, ONE], dial=dial_to({ONE: one, OTHER: other}))  # named twice is one
    found = await first_results(dispatcher, make_tasks(2000))
    assert {f"t{number}" for number in range(2000)} == set(found)
    answered = [connection.answered for connection in dispatcher.connections]
    assert (2, 2000) == (len(answered), sum(answered))
    assert min(answered) > 0
    assert f", {OTHER} {answered[1]}" in dispatcher.shares()


async def test_a_stuck_worker_does_not_hold_up_the_end() -> None:
    """What a worker holds and does not answer is taken again by one that is idle, once; nobody waits for the first."""
    stuck, idle, clock = FrameWorker(credit=300), FrameWorker(), Clock(0.0)
    stuck.stuck = True
    dispatcher = dispatcher_of(stuck, idle, clock=clock)
    running = asyncio.create_task(first_results(dispatcher, make_tasks(300)))
    while not running.done():  # each look is late for what was taken before the last one
        await asyncio.wait([running], timeout=0.01)
        clock.now += 20.0
    assert 300 == len(await running)
    assert [0, 300] == [connection.answered for connection in dispatcher.connections]
    copies = dispatcher.copies
    assert copies == len(stuck.delivered) > 0
    assert f", {copies} tasks taken twice" in dispatcher.shares()
    assert 0 == dispatcher.repeated
    assert {task.id for task in stuck.delivered} >= set(stuck.cancelled)
    assert {} == stuck.held


async def test_another_model_is_left_out() -> None:
    """All answers of a run are of one model; a worker with another one is asked nothing."""
    one, other = FrameWorker(digest="m1"), FrameWorker(digest="m2")
    dispatcher = dispatcher_of(one, other)
    assert 500 == len(await first_results(dispatcher, make_tasks(500)))
    delivered = sorted((one, other), key=lambda worker: len(worker.delivered))
    assert [0, 500] == [len(worker.delivered) for worker in delivered]
    left_out = min(dispatcher.connections, key=lambda connection: connection.answered)
    assert f"serves model {delivered[0].digest}" in left_out.problem


async def test_a_worker_that_goes_back_to_the_model() -> None:
    """A worker that serves another model for a while works on in the run when it is back to the old one."""
    stuck, changing = FrameWorker(), FrameWorker()  # the first keeps the run going while the other is away
    stuck.stuck = changing.stuck = True
    dispatcher = dispatcher_of(stuck, changing)
    running = asyncio.create_task(first_results(dispatcher, make_tasks(200)))
    await changing.until(lambda: len(changing.held) > 0)
    changing.digest = "m2"
    changing.cut()
    await eventually(lambda: dispatcher.connections[1].other_model)
    before = len(changing.delivered)
    changing.digest, changing.stuck = "m", False
    await changing.until(lambda: len(changing.delivered) > before)
    stuck.go()
    assert 200 == len(await running)
    assert dispatcher.connections[1].answered > 0


async def test_every_worker_serves_another_model() -> None:
    """A run whose workers have all gone over to another model ends, and says that and which."""
    workers = [FrameWorker(credit=1), FrameWorker(credit=1)]
    runs = dispatcher_of(*workers, wait_s=3600).run(make_tasks(500))
    assert await anext(runs)
    for worker in workers:
        worker.digest = "m2"
        worker.cut()
    with pytest.raises(OtherModel, match="every worker serves another model now") as caught:
        async for _ in runs:
            pass
    assert 2 == str(caught.value).count("serves model m2")


RETRYABLE = [code for code in ErrorCode if code.retryable]


@pytest.mark.parametrize("code", RETRYABLE, ids=lambda code: code.name)
@pytest.mark.parametrize("ended", [True, False], ids=["ended", "refused"])
async def test_what_may_succeed_later_is_sent_again(code: ErrorCode, ended: bool) -> None:
    """A task that ends with a retryable error is sent again, not counted against it, until it has its answer."""
    error = Refusal(code, "not now", retry_after_ms=1)
    met: set[str] = set()

    def script(task: Task) -> TaskResult | Refusal:
        if task.id in met:
            return answers(task)
        met.add(task.id)
        return TaskResult.refused(task, error) if ended else error

    worker = FrameWorker(script)
    found = await first_results(dispatcher_of(worker), make_tasks(5))
    assert [[None]] * 5 == [codes(result) for result in found.values()]
    assert [1] * 5 == [result.attempt for result in found.values()]
    assert 10 == len(worker.delivered)


FINAL: dict[str, Callable[[Task, Refusal], TaskResult | Refusal]] = {
    "ended": TaskResult.refused,
    "refused": lambda task, error: error,
}


@pytest.mark.parametrize("outcome", FINAL.values(), ids=FINAL)
async def test_final_errors_are_results(outcome: Callable[[Task, Refusal], TaskResult | Refusal]) -> None:
    """A task that ends with any other error ends: the error is its result."""
    worker = FrameWorker(lambda task: outcome(task, Refusal(ErrorCode.INTERNAL, "reference 1")))
    found = await first_results(dispatcher_of(worker), make_tasks(5))
    assert [[ErrorCode.INTERNAL]] * 5 == [codes(result) for result in found.values()]
    assert 5 == len(worker.delivered)


async def test_a_broken_stream_makes_suspects() -> None:
    """What a worker held when its stream broke is sent again as its second attempt; after a Bye as its first."""
    for part, attempt in ((FrameWorker.cut, 2), (FrameWorker.bye, 1)):
        worker = FrameWorker()
        worker.stuck = True
        running = asyncio.create_task(first_results(dispatcher_of(worker), make_tasks(5)))
        await worker.until(lambda worker=worker: len(worker.held) == 5)  # type: ignore[misc]
        worker.stuck = False
        part(worker)
        found = await running
        assert [attempt] * 5 == [result.attempt for result in found.values()]
        assert [[None]] * 5 == [codes(result) for result in found.values()]


async def test_a_task_too_large_for_the_wire() -> None:
    """A task that is over 64 KiB as a whole ends OUT_OF_RANGE; it is not sent and stops no other task."""
    questions = tuple(Question(f"q{number}", "é" * 512) for number in range(64))
    large = Task(id="large", context="c", questions=questions)
    assert len(large.to_bytes()) > MAX_TASK_BYTES
    worker = FrameWorker()
    found = await first_results(dispatcher_of(worker), [make_task("a"), large, make_task("b")])
    assert [None] == codes(found["a"]) == codes(found["b"])
    assert [ErrorCode.OUT_OF_RANGE] * 64 == codes(found["large"])
    assert {"a", "b"} == {task.id for task in worker.delivered}


async def test_leaving_early_closes_the_streams() -> None:
    """Whoever stops listening leaves nothing behind: streams are closed, and the rest is not sent."""
    worker = FrameWorker(credit=10)
    runs = dispatcher_of(worker).run(make_tasks(5000))
    assert await anext(runs)
    await runs.aclose()
    assert ([], {}) == (worker.streams, worker.held)
    assert len(worker.delivered) < 5000


async def test_a_worker_that_goes_and_comes() -> None:
    """Work goes on with the other worker while one is away, and with both when it is back."""
    staying, moving = FrameWorker(), FrameWorker()
    dispatcher = dispatcher_of(staying, moving)
    gone = dispatcher.connections[1]
    staying.stuck = moving.stuck = True
    running = asyncio.create_task(first_results(dispatcher, make_tasks(600)))
    for _ in range(2):
        await moving.until(lambda: len(moving.held) > 0)
        moving.end_all()
        moving.state = None
        moving.cut()
        await eventually(lambda: not gone.connected)
        moving.state = State.READY
    staying.go()
    moving.go()
    assert 600 == len(await running)
    assert 600 == sum(connection.answered for connection in dispatcher.connections)
