"""Single calls for which there is no room: told so after a moment, in which nobody else waits for them."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.doors import calls
from spanserve.engine import line
from spanserve.v1 import worker_pb2 as pb
from tests.kit.http import get, request
from tests.kit.http_doors import http_door
from tests.kit.json_tasks import task_to_json
from tests.kit.serving import rig, serving
from tests.kit.wire import describe, make_task, open_raw, raw_answer

NOT_IN_THIS_TEST_S = 3600.0, 3600.0
AT_ONCE_S = 0.0, 0.0


@pytest.fixture(autouse=True)
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "CALLS_OF_ONE", 0)


async def test_grpc(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call waits and others on its connection do not; then its status names the reason and when to come again."""
    asked = pb.AnswerRequest(task=make_task().to_proto()).SerializeToString()
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        monkeypatch.setattr(calls, "REFUSED_AFTER_S", NOT_IN_THIS_TEST_S)
        refused = asyncio.ensure_future(raw_answer(channel, asked))
        for _ in range(20):
            await describe(channel)
        assert not refused.done()
        refused.cancel()
        monkeypatch.setattr(calls, "REFUSED_AFTER_S", AT_ONCE_S)
        with pytest.raises(aio.AioRpcError) as caught:
            await raw_answer(channel, asked)
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
    assert "full" in (caught.value.details() or "")
    assert "spanserve-error-bin" in dict(caught.value.trailing_metadata() or ())


async def test_http(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same over HTTP."""
    asked = task_to_json(make_task())
    async with rig(sim_bundle) as made, http_door(made) as door:
        monkeypatch.setattr(calls, "REFUSED_AFTER_S", NOT_IN_THIS_TEST_S)
        refused = asyncio.ensure_future(request(door.address, "POST", "/v1/answer", asked))
        for _ in range(20):
            await get(door.address, "/v1/status")
        assert not refused.done()
        refused.cancel()
        monkeypatch.setattr(calls, "REFUSED_AFTER_S", AT_ONCE_S)
        status, headers, body = await request(door.address, "POST", "/v1/answer", asked)
    assert (429, "1") == (status, headers["retry-after"])
    assert b"full" in body
