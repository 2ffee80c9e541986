"""Waves of ten times the calls that there is room for: the limit holds on every wave, not on the first alone."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from pathlib import Path

import grpc
import pytest
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.doors.grpc import crowd, reads
from tests.faults.answers import request_of
from tests.kit.bundles import make_sim_bundle
from tests.kit.serving import Served, serving
from tests.kit.waiting import eventually
from tests.kit.wire import RawStream, make_task, open_raw, raw_answer

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


async def test_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the device stands still as many calls of a connection are let in as the worker holds, and of another its
    part beside them, on every wave; all others are refused within their time, and nothing of them is left.
    """
    monkeypatch.setattr(reads, "READS_AT_EASE", math.inf)  # requests may take their time
    async with serving(make_sim_bundle(tmp_path / "small", max_batch_size=2)) as served:
        capacity = served.rig.inside.admission.capacity
        limit = 2 * capacity.windows + capacity.slack
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, capacity.used)
                await asyncio.sleep(0.001)

        watching = asyncio.create_task(watch())
        for wave in range(WAVES):
            slots = served.rig.block()
            async with open_raw(served.address) as one, open_raw(served.address) as two:
                requests = [
                    request_of(make_task(f"{wave}-{n}").to_proto()) for n in range(10 * capacity.windows)
                ]
                calls = [
                    asyncio.create_task(outcome(raw_answer((one, two)[number % 2], request)))
                    for number, request in enumerate(requests)
                ]
                waiting = set(calls)
                while len(waiting) > limit:
                    _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for slot in slots:
                    slot.release()
                served.rig.engine.resume([])
                outcomes = await asyncio.gather(*calls)
            assert {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED} == set(outcomes)
            assert capacity.windows <= outcomes.count(grpc.StatusCode.OK) <= limit
            await eventually(lambda: (0, 0, 0) == left(served))
            assert not served.service._calls._accounts
        watching.cancel()
        assert capacity.windows <= most <= limit
