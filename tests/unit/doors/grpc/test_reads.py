"""Requests on their way in: who takes a place, who loses one, and who waits."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from spanserve.doors.grpc import reads as reads_module
from spanserve.doors.grpc.places import NoPlace, Places
from spanserve.doors.grpc.reads import Reads
from spanserve.doors.grpc.violation import ProtocolViolation


async def wait_in(places: Places, connection: str) -> str:
    """Take a place until it is lost."""
    try:
        async with places.take(connection, 60):
            await asyncio.get_running_loop().create_future()
    except NoPlace:
        return "lost"
    raise AssertionError("nobody else ends it")


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_has_most_makes_room() -> None:
    """The oldest place of the connection that has most goes to one that has fewer; an equal gets none."""
    places = Places(3)
    waiting = [asyncio.create_task(wait_in(places, name)) for name in "aaab"]
    await settle()
    assert "lost" == await waiting[0]
    assert 3 == len(places)
    with pytest.raises(NoPlace):
        async with places.take("b", 60):
            pass
    for task in waiting[1:]:
        task.cancel()
    await asyncio.gather(*waiting[1:], return_exceptions=True)
    assert 0 == len(places)


async def test_time_is_up() -> None:
    """A place is taken for so long; its end by time is not the loss of it."""
    places = Places(1)
    with pytest.raises(TimeoutError):
        async with places.take("a", 0):
            await asyncio.get_running_loop().create_future()
    assert 0 == len(places)


async def test_a_first_message_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call ends DEADLINE_EXCEEDED."""
    monkeypatch.setattr(reads_module, "READ_S", 0)
    reads = Reads()
    with pytest.raises(ProtocolViolation) as caught:
        async with reads.one("a"):
            await asyncio.get_running_loop().create_future()
    assert (grpc.StatusCode.DEADLINE_EXCEEDED, "no_message") == (caught.value.status, caught.value.cause)


async def test_calls_in_vain_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose calls came to nothing waits with its next one, others do not; it has few places to read."""
    monkeypatch.setattr(reads_module, "READS_AT_EASE", 1)
    now = 0.0
    reads = Reads(lambda: now)
    for _ in range(reads_module.CALLS_IN_VAIN):
        reads.calls.lose("a")
    waiting = asyncio.create_task(reads.turn("a"))
    await reads.turn("b")
    await settle()
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with reads.one("a"), reads.one("b"):
        assert 2 == len(reads)
        with pytest.raises(ProtocolViolation) as caught:
            async with reads.one("a"):
                pass
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "reads") == (caught.value.status, caught.value.cause)


async def test_those_who_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls beyond those that may wait are refused."""
    monkeypatch.setattr(reads_module, "MAX_HELD", 1)
    reads = Reads(lambda: 0.0)
    for _ in range(reads_module.CALLS_IN_VAIN):
        reads.calls.lose("a")
    waiting = asyncio.create_task(reads.turn("a"))
    await settle()
    with pytest.raises(ProtocolViolation) as caught:
        await reads.turn("a")
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.status
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
