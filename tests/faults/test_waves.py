"""Waves of ten times the streams that there is room for: the limit holds on every wave, not on the first alone."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable

import grpc
import pytest
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.doors.grpc import crowd, reads
from tests.kit.serving import Served, serving
from tests.kit.waiting import eventually
from tests.kit.wire import RawStream, open_raw

WAVES = 3
STREAMS = 8


async def outcome(call: Awaitable[object]) -> grpc.StatusCode:
    try:
        await call
    except aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def left(served: Served) -> tuple[int, int, int]:
    """What calls have left behind: streams, reads, and windows that are held or promised."""
    service = served.service
    return service.open_streams, len(service._reads), served.rig.inside.admission.capacity.used


async def test_streams(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of eighty streams at once eight are open; when they have gone, eight of the next eighty are."""
    monkeypatch.setattr(crowd, "MAX_STREAMS_OF_IDENTITY", STREAMS)
    monkeypatch.setattr(reads, "CALLS_IN_VAIN", math.inf)  # refused as fast as they come
    async with serving(sim_bundle) as served:
        for _ in range(WAVES):
            async with open_raw(served.address) as channel:
                streams = [RawStream(channel) for _ in range(10 * STREAMS)]
                wave = [asyncio.create_task(stream.hello()) for stream in streams]
                outcomes = [await outcome(call) for call in wave]
                assert STREAMS == outcomes.count(grpc.StatusCode.OK) == served.service.open_streams
                assert {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED} == set(outcomes)
            await eventually(lambda: (0, 0, 0) == left(served))
