"""Callers that take more than their share, in ways that were tried on real workers: a neighbour keeps its own.

The neighbour is another connection under the same identity. Shares are counted, with wide margins: nothing here
depends on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable

import grpc
import pytest
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.contract import Task
from spanserve.contract.limits import MIB
from spanserve.doors.grpc import crowd, guard, reads
from spanserve.doors.grpc import stream as stream_module
from spanserve.doors.grpc.violation import ProtocolViolation
from spanserve.engine.caller import Caller
from spanserve.engine.state import State
from spanserve.v1 import worker_pb2 as pb
from tests.faults.answers import request_of
from tests.kit.half_messages import HalfMessages
from tests.kit.processes import WorkerProcess
from tests.kit.senders import LONG, Sender, long, plain, sending, suspect
from tests.kit.serving import serving
from tests.kit.waiting import eventually
from tests.kit.wire import RawStream, describe, make_task, open_raw, raw_answer, raw_stream

StartWorker = Callable[..., WorkerProcess]

WORK = "/spanserve.v1.QuestionAnswering/Work"
ANSWER = "/spanserve.v1.QuestionAnswering/Answer"
#: Of what a fair neighbour would get.
LEAST_SHARE = 0.4
#: Bytes that a worker may have under attack.
MOST_BYTES = 600 * MIB


ATTACKS = {"attempt-5": (suspect, 1), "many-streams": (plain, 16), "long-tasks": (long, 4)}


@pytest.mark.parametrize(("make", "streams"), ATTACKS.values(), ids=ATTACKS)
async def test_a_neighbour_keeps_its_share(
    sim_bundle: Bundle, make: Callable[[str], Task], streams: int
) -> None:
    """Whatever one connection sends, another has its share of the device: batches are counted, not seconds."""
    async with (
        serving(sim_bundle, "sim:fixed?latency_ms=5") as served,
        sending(served.address, make, streams) as attackers,
    ):
        await eventually(lambda: served.rig.engine.batches > 20)
        async with sending(served.address, plain) as (neighbour,):
            await eventually(lambda: neighbour.answered > 50)
            windows, answered = served.rig.metrics.windows._value.get(), neighbour.answered
            await eventually(lambda: neighbour.answered > answered + 400)
            spent = served.rig.metrics.windows._value.get() - windows
        mine = neighbour.answered - answered
        print(f"{mine} windows of {spent:g} were the neighbour's; {len(attackers)} streams had the others")
        assert mine >= LEAST_SHARE / 2 * spent


async def test_grants_that_are_used_all_at_once(start_worker: StartWorker) -> None:
    """Fifty streams that use their idle credit at once, for tasks of sixty windows, fill the worker once and not fifty
    times; a neighbour is answered meanwhile; and told to stop, the worker drains in time.
    """
    worker = start_worker(device="sim:fixed?latency_ms=5").wait_ready()
    async with open_raw(worker.address) as channel, open_raw(worker.address) as other:
        streams = [RawStream(channel) for _ in range(50)]
        for stream in streams:
            await stream.hello()
        granted = sum(stream.heard.credit for stream in streams)
        capacity = streams[0].heard.welcome.max_windows  # type: ignore[union-attr]
        assert granted <= capacity
        for number, stream in enumerate(streams):
            if stream.heard.credit:
                tasks = [
                    make_task(f"{n}", context=f"{number} {n} {LONG}") for n in range(stream.heard.credit)
                ]
                for task in tasks:
                    await stream.send_tasks([task])
        for number in range(20):
            await raw_answer(other, request_of(plain(f"{number}").to_proto()))
            assert (await describe(other)).held_windows <= 4 * capacity
        worker.process.send_signal(signal.SIGTERM)
        assert 0 == await asyncio.to_thread(worker.process.wait, 60)


async def test_hit_and_run(sim_bundle: Bundle) -> None:
    """When those who filled the worker have gone, nothing of what they sent is encoded or computed any more."""
    async with serving(sim_bundle) as served, open_raw(served.address) as other:
        slots = served.rig.block()
        async with open_raw(served.address) as channel:
            for number in range(20):
                stream = RawStream(channel)
                await stream.hello()
                if stream.heard.credit:
                    await stream.send_tasks(
                        make_task(f"{n}", context=f"{number} {n} {LONG}") for n in range(stream.heard.credit)
                    )
            await eventually(lambda: served.rig.engine.held_windows > 0)
        # The device has not moved: they were dropped.
        await eventually(
            lambda: served.rig.engine.idle.is_set() and not served.rig.inside.admission.capacity.used
        )
        assert 0 == served.rig.engine.held_windows
        for slot in slots:
            slot.release()
        await raw_answer(other, request_of(plain("next").to_proto()))
        assert 1 == served.rig.engine.batches


async def test_calls_that_are_withdrawn(sim_bundle: Bundle) -> None:
    """Calls that their client gives up, in whatever place they have come to, end nothing but themselves."""
    async with (
        serving(sim_bundle, "sim:fixed?latency_ms=5") as served,
        sending(served.address, plain) as (neighbour,),
        open_raw(served.address) as channel,
    ):
        call: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(ANSWER)
        chance = random.Random(1)
        answered = 0
        for number in range(15):
            calls = [
                call(request_of(plain(f"{number}-{n}").to_proto())) for n in range(chance.randint(30, 60))
            ]
            await neighbour_moves(neighbour)
            for given_up in calls[1:]:
                given_up.cancel()
            await calls[0]
            answered += 1
        assert 15 == answered
        assert [State.READY] == served.rig.states
        await eventually(lambda: not served.rig.inside.admission._of_calls)


async def neighbour_moves(neighbour: Sender) -> None:
    """Wait until a neighbour has heard of a result."""
    answered = neighbour.answered
    await eventually(lambda: neighbour.answered > answered)


async def test_headers_that_grpc_cannot_read(start_worker: StartWorker) -> None:
    """What gRPC itself finds wrong with a call is told to the caller; the log stays one of records."""
    worker = start_worker().wait_ready()
    attack = await HalfMessages.connect(worker.address, 200)
    attack.begin(ANSWER, 50, grpc_timeout="soon")
    attack.begin(ANSWER, 50, grpc_encoding="none such")
    running = asyncio.ensure_future(attack.run())
    await eventually(lambda: 100 == attack.ended)
    running.cancel()
    assert [] == [line for line in worker.lines if not line.startswith("{")]


async def test_half_messages(start_worker: StartWorker) -> None:
    """Hundreds of calls whose message never ends: memory is bounded, a neighbour is served, the worker ends them."""
    worker = start_worker().wait_ready()
    attackers = [await HalfMessages.connect(worker.address, 1_000_000) for _ in range(4)]
    for attacker in attackers:
        attacker.begin(WORK, 60)
    running = [asyncio.create_task(attacker.run()) for attacker in attackers]
    most = 0
    async with open_raw(worker.address) as channel:
        number = 0
        async with asyncio.timeout(120):
            while sum(attacker.ended for attacker in attackers) < 240:
                await raw_answer(channel, request_of(plain(f"{number}").to_proto()))
                most = max(most, worker.rss)
                number += 1
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    sent = sum(attacker.bytes_sent for attacker in attackers)
    print(f"{sent / MIB:.0f} MiB sent, worker at {most / MIB:.0f} MiB at most, {number} answers")
    assert most < MOST_BYTES
    assert number > 10


async def test_silence(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream without Hello and a call without its request end DEADLINE_EXCEEDED, and are counted."""
    monkeypatch.setattr(reads, "READ_S", 0.2)
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        silent = RawStream(channel)
        with pytest.raises(aio.AioRpcError) as caught:
            await silent.until_end()
        assert grpc.StatusCode.DEADLINE_EXCEEDED is caught.value.code()
        answer: aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(ANSWER)
        call = answer()
        with pytest.raises(aio.AioRpcError) as caught:
            await call
        assert grpc.StatusCode.DEADLINE_EXCEEDED is caught.value.code()
        ended = served.rig.metrics.calls_ended.labels("no_message")
        assert 2 == ended._value.get()


async def test_calls_that_come_to_nothing(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who makes them again and again waits with the next, whatever it is for; a neighbour does not."""
    monkeypatch.setattr(reads, "CALLS_IN_VAIN", 2)
    monkeypatch.setattr(reads, "CALLS_IN_VAIN_PER_S", 0.01)
    async with (
        serving(sim_bundle) as served,
        open_raw(served.address) as channel,
        open_raw(served.address) as other,
    ):
        for _ in range(3):
            with pytest.raises(aio.AioRpcError):
                await RawStream(channel).hello("another model")
        waiting = asyncio.create_task(RawStream(channel).hello())
        for number in range(20):
            await raw_answer(other, request_of(plain(f"{number}").to_proto()))
            await RawStream(other).hello()
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_reader_that_does_not_read(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose frames are not taken is ended, and what it had is free."""
    monkeypatch.setattr(stream_module, "READER_S", 0.05)
    async with serving(sim_bundle) as served:

        class Stuck:
            async def write(self, message: pb.ServerFrame, /) -> None:
                if not message.HasField("welcome"):
                    await asyncio.Event().wait()

        async def sent() -> AsyncIterator[bytes]:
            yield pb.ClientFrame(hello=pb.Hello()).SerializeToString()
            yield pb.ClientFrame(tasks=pb.TaskBatch(tasks=[plain("a").to_bytes()])).SerializeToString()
            await asyncio.Event().wait()

        inside = served.rig.inside
        stuck = stream_module.WorkStream(inside, sent(), Stuck(), caller=Caller(), reads=reads.Reads())
        with pytest.raises(ProtocolViolation, match="read") as caught:
            await stuck.serve()
        assert "slow_reader" == caught.value.cause
        await served.rig.engine.idle.wait()
        assert 0 == inside.admission.capacity.used


async def test_streams_without_end(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has opened all the streams there may be makes room for a neighbour, and gets no more itself."""
    monkeypatch.setattr(crowd, "MAX_STREAMS_OF_IDENTITY", 10)
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        many = [RawStream(channel) for _ in range(10)]
        for stream in many:
            await stream.hello()
        refused = RawStream(channel)
        with pytest.raises(aio.AioRpcError) as caught:
            await refused.hello()
        assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
        async with raw_stream(served.address) as neighbour:
            await neighbour.send_all([plain("a")])  # its credit comes when the other has gone
            await neighbour.until(results=1)
        ends = [asyncio.create_task(stream.until_end()) for stream in many]
        (end,), others = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        bye = end.result().bye
        assert bye is not None
        assert "place" in bye.reason
        assert 1 == served.rig.metrics.calls_ended.labels("evicted")._value.get()
        for other in others:
            other.cancel()


async def test_those_who_look_on(sim_bundle: Bundle) -> None:
    """A connection has a few streams that only look on; one more is refused, another connection has its own."""
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        watch = "/grpc.health.v1.Health/Watch"

        async def look(channel: aio.Channel) -> aio.UnaryStreamCall[bytes, bytes]:
            opened: aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(watch)
            call: aio.UnaryStreamCall[bytes, bytes] = opened(b"")
            await call.read()
            return call

        calls = [await look(channel) for _ in range(guard.MAX_LOOKING)]
        with pytest.raises(aio.AioRpcError) as caught:
            await look(channel)
        assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
        async with open_raw(served.address) as other:
            await look(other)
        calls.pop().cancel()
        await eventually(lambda: sum(server._guard._lookers.total() for server in served.door._servers) < 8)
        await look(channel)
