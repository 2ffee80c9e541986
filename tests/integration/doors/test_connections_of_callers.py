"""Connections of a gRPC server: no caller has them all."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack

import grpc
import pytest
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.doors.grpc import connections, server
from spanserve.doors.grpc.sockets import hang_up, peers
from tests.faults.answers import request_of
from tests.kit.half_messages import HalfMessages
from tests.kit.serving import serving
from tests.kit.waiting import eventually
from tests.kit.wire import RawStream, make_task, open_raw, raw_answer


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server takes eight connections, six of one identity."""
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 8)
    monkeypatch.setattr(connections, "LOOK_S", 0.05)


async def test_of_one_identity(sim_bundle: Bundle) -> None:
    """All six with a stream: a seventh is told so. Once one of them is done, the next gets in, and that one goes."""
    async with serving(sim_bundle) as served, AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(open_raw(served.address)) for _ in range(8)]
        streams = [RawStream(channel) for channel in channels[:6]]
        for stream in streams:
            await stream.hello()
        refused = RawStream(channels[6])
        with pytest.raises(aio.AioRpcError, match="too many connections") as caught:
            await refused.hello()
        assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
        await streams[0].bye()
        await streams[0].until_end()
        await RawStream(channels[7]).hello()
        await streams[1].send_tasks([make_task()])
        await streams[1].until(results=1)


async def test_those_that_ask_for_nothing(sim_bundle: Bundle) -> None:
    """Connections that make no call cannot keep callers out."""
    async with serving(sim_bundle) as served:
        silent = [asyncio.create_task(_stay(served.address)) for _ in range(8)]
        host, _, port = served.address.rpartition(":")
        await eventually(lambda: any(task.done() for task in silent))
        await eventually(lambda: len(peers(host, int(port))) <= 6)
        async with open_raw(served.address) as channel:
            await raw_answer(channel, request_of(make_task().to_proto()))
        for task in silent:
            task.cancel()
        await asyncio.gather(*silent, return_exceptions=True)


async def _stay(address: str) -> None:
    connection = await HalfMessages.connect(address, 1000)
    with contextlib.suppress(EOFError):  # hung up on
        await connection.run()


async def test_sockets(sim_bundle: Bundle) -> None:
    """Peers are named as gRPC names them, for each address apart; who is hung up on sees the end."""
    async with serving(sim_bundle) as served:
        host, _, port = served.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        own = writer.get_extra_info("sockname")
        name = f"ipv4:{own[0]}:{own[1]}"
        await eventually(lambda: name in peers(host, int(port)))
        assert name in peers("0.0.0.0", int(port))
        assert name in peers("localhost", int(port))
        assert set() == peers("127.0.0.2", int(port)) == peers("[::1]", int(port))
        hang_up(host, int(port), {"ipv4:127.0.0.1:1"})
        assert name in peers(host, int(port))
        hang_up(host, int(port), {name})
        await reader.read()
        await eventually(lambda: name not in peers(host, int(port)))
        writer.close()
