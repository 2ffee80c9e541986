"""The unary `Answer`: every kind of error has its own status, and nothing is computed for nobody."""

from __future__ import annotations

import asyncio

import pytest
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.contract import ErrorCode, Refusal, TaskResult
from spanserve.engine.caller import Caller
from spanserve.engine.state import Event, State
from spanserve.qa import EncodedTask
from spanserve.v1 import task_pb2, worker_pb2
from tests.faults.answers import STATUS, outcome, request_of, typed
from tests.kit.serving import Served, serving
from tests.kit.waiting import eventually
from tests.kit.wire import describe, make_task, make_tasks, open_raw, raw_answer


def plain_task(questions: int = 1) -> task_pb2.Task:
    """A task that any worker answers."""
    return make_task("t", *["Who said?"] * questions).to_proto()


async def ask_blocked(served: Served, channel: aio.Channel) -> asyncio.Task[TaskResult]:
    """A call whose question is in the backlog while every slot is taken."""
    served.rig.block()
    request = worker_pb2.AnswerRequest(task=make_task().to_proto())
    call = asyncio.create_task(raw_answer(channel, request.SerializeToString()))
    await served.rig.entered(1)
    return call


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: code.name)
async def test_status_of_each_kind(sim_bundle: Bundle, code: ErrorCode) -> None:
    """An error of each kind ends the call with the status of its kind, and travels whole in the metadata."""
    refusal = Refusal(code, "so it is", field="questions[0]", value="1", limit="0", retry_after_ms=250)
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        call = await ask_blocked(served, channel)
        served.rig.engine.abandon(refusal)
        with pytest.raises(aio.AioRpcError) as caught:
            await call
        assert STATUS[code] is caught.value.code()
        assert refusal == typed(caught.value)


#: What happened to a worker that starts, and the state it is in then.
NOT_READY = {
    State.STARTING: (),
    State.RECOVERING: (Event.PROVEN, Event.DEVICE_LOST),
    State.DRAINING: (Event.PROVEN, Event.STOPPED),
    State.FAILED: (Event.GAVE_UP,),
}


@pytest.mark.parametrize("state", NOT_READY)
async def test_not_ready(sim_bundle: Bundle, state: State) -> None:
    """A worker that is not ready refuses calls with UNAVAILABLE, and says when to come back."""
    async with serving(sim_bundle, ready=False) as served, open_raw(served.address) as channel:
        for event in NOT_READY[state]:
            served.rig.engine.lifecycle.on(event)
        refused = await outcome(channel, request_of(plain_task()))
        assert isinstance(refused, Refusal)
        assert (ErrorCode.UNAVAILABLE, 1000) == (refused.code, refused.retry_after_ms)
        assert state.value in refused.message


async def test_full(sim_bundle: Bundle) -> None:
    """Calls get in beside a worker that is full, up to a batch of them; the next waits a moment, and is then refused
    RESOURCE_EXHAUSTED. Once there is room again it is let in.
    """
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        admission, slots = served.rig.inside.admission, served.rig.block()
        queue = admission.open()
        ended: list[TaskResult] = []
        for task in make_tasks(served.rig.engine.capacity_windows, "q"):
            admission.submit(queue, task, ended.append, late=True)
        for task in make_tasks(served.rig.batcher.max_batch, "c"):
            caller = admission.open(
                Caller(connection=task.id)
            )  # who has something gets no more than half of it
            await admission.enter(caller, [task], lambda _, result: ended.append(result))
        refused = await outcome(channel, request_of(plain_task()))
        assert isinstance(refused, Refusal)
        assert (ErrorCode.RESOURCE_EXHAUSTED, 100) == (refused.code, refused.retry_after_ms)
        waiting = asyncio.create_task(outcome(channel, request_of(plain_task())))
        await eventually(lambda: len(admission._line) == 1)
        for slot in slots:
            slot.release()
        await served.rig.run(make_task("next"))
        assert not isinstance(await waiting, Refusal)


async def test_late(sim_bundle: Bundle) -> None:
    """A task that was not computed within its timeout_ms is DEADLINE_EXCEEDED, and says which limit that was."""
    async with (
        serving(sim_bundle, "sim:fixed?latency_ms=200", slots=1) as served,
        open_raw(served.address) as channel,
    ):
        served.rig.submit(*make_tasks(16))
        await served.rig.entered(16)
        task = plain_task()
        task.timeout_ms = 20
        refused = await outcome(channel, request_of(task))
        assert isinstance(refused, Refusal)
        assert (ErrorCode.DEADLINE_EXCEEDED, "timeout_ms", "20 ms") == (
            refused.code,
            refused.field,
            refused.limit,
        )


async def test_a_fault_of_ours_is_opaque(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault inside the worker is INTERNAL with a reference and none of its details."""

    def broken(task: object) -> EncodedTask:
        raise RuntimeError("a secret")

    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        monkeypatch.setattr(served.rig.encoder, "encode", broken)
        refused = await outcome(channel, request_of(plain_task()))
        assert isinstance(refused, Refusal)
        assert ErrorCode.INTERNAL is refused.code
        assert "reference" in refused.message
        assert "secret" not in str(refused)


async def test_a_caller_that_goes_away(sim_bundle: Bundle) -> None:
    """When the caller is gone its task is withdrawn, not computed."""
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        slots = served.rig.block()
        call = await ask_blocked(served, channel)
        (request,) = served.rig.engine._requests
        call.cancel()
        await eventually(lambda: request.cancelled)
        for slot in slots:
            slot.release()
        await served.rig.run(make_task("next"))
        assert (0, 1) == (served.rig.engine.held_windows, served.rig.engine.batches)


async def test_describe_counts(sim_bundle: Bundle) -> None:
    """Describe tells what is served and what was done."""
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        await raw_answer(channel, request_of(plain_task(3)))
        found = await describe(channel)
        assert (3, 0, 0) == (found.ended_questions, found.held_windows, found.host_restarts)
        assert ("simulated", sim_bundle.manifest.digest) == (found.model, found.model_digest)
        assert (16, 384, "sim:fixed") == (found.max_batch_size, found.max_seq_length, found.device)
        assert found.useful_tokens <= found.padded_tokens
        assert worker_pb2.WORKER_STATE_READY == found.state
