"""`Answer` behind the guard: it is served as a stream of one request, and its caller sees nothing of that."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.doors.access import Access
from spanserve.doors.grpc import reads
from tests.kit.callers import METHODS, Caller
from tests.kit.credential_files import Files, serving_with
from tests.kit.processes import PATIENCE_S
from tests.kit.waiting import eventually

ANSWER, REQUEST, _, _ = METHODS["Answer"]


class Call:
    """An `Answer` whose request comes when the test says so."""

    def __init__(self, channel: aio.Channel, caller: Caller) -> None:
        make: aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(ANSWER)
        self._call = make(metadata=caller.metadata)

    async def send(self) -> None:
        await self._call.write(REQUEST)
        await self._call.done_writing()

    async def outcome(self) -> grpc.StatusCode:
        async with asyncio.timeout(PATIENCE_S):
            return await self._call.code()


async def test_a_request_that_does_not_come(
    sim_bundle: Bundle, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read has a deadline, for whoever is let in and for whoever is not; then nothing of it is left."""
    monkeypatch.setattr(reads, "READ_S", 0.2)
    known, unknown = files.let_in("known"), Caller(authority=files.server)
    async with (
        serving_with(sim_bundle, Access(files.settings), "tls&tokens") as served,
        known.channel(served.address) as one,
        unknown.channel(served.address) as other,
    ):
        calls = Call(one, known), Call(other, unknown)
        outcomes = [await call.outcome() for call in calls]
        assert [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAUTHENTICATED] == outcomes
        await eventually(lambda: not len(served.service._reads))
        ended = served.rig.metrics.calls_ended.labels("no_message")
        assert 1 == ended._value.get()


async def test_who_is_not_let_in(sim_bundle: Bundle, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A denial is heard by a client that still writes; whoever is denied again and again waits for the next one, and
    takes no place from those who are let in.
    """
    monkeypatch.setattr(reads, "CALLS_IN_VAIN", 2)
    monkeypatch.setattr(reads, "CALLS_IN_VAIN_PER_S", 0.01)
    known, unknown = files.let_in("known"), Caller(authority=files.server)
    async with (
        serving_with(sim_bundle, Access(files.settings), "tls&tokens") as served,
        known.channel(served.address) as one,
        unknown.channel(served.address) as other,
    ):
        for _ in range(3):
            denied = Call(other, unknown)
            await denied.send()
            assert grpc.StatusCode.UNAUTHENTICATED is await denied.outcome()
        waiting = [Call(other, unknown) for _ in range(20)]
        let_in = Call(one, known)
        await let_in.send()
        assert grpc.StatusCode.OK is await let_in.outcome()
        assert 0 == len(served.service._reads)
        assert not any(call._call.done() for call in waiting)


async def test_a_credential_goes(sim_bundle: Bundle, files: Files) -> None:
    """A call that was let in is answered, and ends by itself soon; the next one is not let in."""
    caller = files.let_in("caller")
    access = Access(files.settings)
    async with (
        serving_with(sim_bundle, access, "tls&tokens") as served,
        caller.channel(served.address) as channel,
    ):
        slots = served.rig.block()
        under_way = Call(channel, caller)
        await under_way.send()
        await served.rig.entered(1)
        files.revoke("caller")
        await access.look()
        refused = Call(channel, caller)
        await refused.send()
        assert grpc.StatusCode.UNAUTHENTICATED is await refused.outcome()
        for slot in slots:
            slot.release()
        served.rig.engine.resume([])
        assert grpc.StatusCode.OK is await under_way.outcome()


async def test_a_caller_that_goes(sim_bundle: Bundle, files: Files) -> None:
    """A call that its caller gives up, before its request or after, leaves nothing behind."""
    caller = files.let_in("caller")
    async with (
        serving_with(sim_bundle, Access(files.settings), "tls&tokens") as served,
        caller.channel(served.address) as channel,
    ):
        slots = served.rig.block()
        early, late = Call(channel, caller), Call(channel, caller)
        await late.send()
        await served.rig.entered(1)
        await eventually(lambda: 1 == len(served.service._reads))
        early._call.cancel()
        late._call.cancel()
        await eventually(lambda: not len(served.service._reads))
        await served.rig.engine.idle.wait()
        assert 0 == served.rig.inside.admission.capacity.used
        for slot in slots:
            slot.release()
