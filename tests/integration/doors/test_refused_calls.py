"""Single calls for which there is no room: told so after a moment, in which nobody else waits for them."""

from __future__ import annotations

import asyncio
import gc

import grpc
import pytest
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.doors import calls
from spanserve.doors.http.operation import Call
from spanserve.engine import line
from spanserve.v1 import worker_pb2 as pb
from tests.kit.http import get, request
from tests.kit.http_doors import http_door
from tests.kit.json_tasks import task_to_json
from tests.kit.oip import bytes_tensor, call, infer_request
from tests.kit.serving import rig, serving
from tests.kit.wire import describe, make_task, open_raw, raw_answer

NOT_IN_THIS_TEST_S = 3600.0, 3600.0
AT_ONCE_S = 0.0, 0.0


def asked() -> bytes:
    return pb.AnswerRequest(task=make_task().to_proto()).SerializeToString()


@pytest.fixture(autouse=True)
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "CALLS_OF_ONE", 0)


async def test_a_worker_that_stops(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait with refusals: nobody can come again."""
    monkeypatch.setattr(calls, "REFUSED_AFTER_S", NOT_IN_THIS_TEST_S)
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        refused = asyncio.ensure_future(raw_answer(channel, asked()))
        for _ in range(20):
            await describe(channel)
        await served.door.drain()
        with pytest.raises(aio.AioRpcError) as caught:
            await refused
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()


async def test_open_inference(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Open Inference Protocol says the same."""
    monkeypatch.setattr(calls, "REFUSED_AFTER_S", AT_ONCE_S)
    tensors = [bytes_tensor("question", ["Who?"]), bytes_tensor("context", ["Anna Holm."])]
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await call(channel, "ModelInfer", infer_request("qa", tensors))
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()


async def test_grpc(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call waits and others on its connection do not; then its status names the reason and when to come again."""
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        monkeypatch.setattr(calls, "REFUSED_AFTER_S", NOT_IN_THIS_TEST_S)
        refused = asyncio.ensure_future(raw_answer(channel, asked()))
        for _ in range(20):
            await describe(channel)
        assert not refused.done()
        refused.cancel()
        monkeypatch.setattr(calls, "REFUSED_AFTER_S", AT_ONCE_S)
        with pytest.raises(aio.AioRpcError) as caught:
            await raw_answer(channel, asked())
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
    assert "full" in (caught.value.details() or "")
    assert "spanserve-error-bin" in dict(caught.value.trailing_metadata() or ())


async def test_what_is_refused_is_gone(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a refused request is in a ring that only the collector of garbage would find."""
    monkeypatch.setattr(calls, "REFUSED_AFTER_S", AT_ONCE_S)
    async with rig(sim_bundle) as made, http_door(made) as door:
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                await request(door.address, "POST", "/v1/answer", task_to_json(make_task()))
            await get(door.address, "/v1/status")
            assert [] == [
                one for one in gc.get_objects() if type(one) is Call and one.request.method == "POST"
            ]
        finally:
            gc.enable()


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
