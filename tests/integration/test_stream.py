"""The `Work` stream: frames in any order, errors of items inside the stream, its end as the contract says."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc import aio
from structlog.testing import capture_logs

from spanserve.bundle import Bundle
from spanserve.contract import ErrorCode, Options, Refusal
from spanserve.contract.limits import MAX_FRAME_BYTES, MAX_TASKS_PER_FRAME
from spanserve.doors.grpc import reads
from spanserve.doors.grpc import stream as stream_module
from spanserve.doors.grpc.reads import Reads
from spanserve.engine.caller import Caller
from spanserve.v1 import worker_pb2 as pb
from tests.kit.bundles import make_sim_bundle
from tests.kit.serving import serving
from tests.kit.waiting import eventually
from tests.kit.wire import RawStream, describe, make_task, make_tasks, open_raw, raw_stream


def error_of(item: pb.ItemError) -> ErrorCode:
    return Refusal.from_proto(item.error).code


async def test_welcome(sim_bundle: Bundle) -> None:
    """The first frame back tells who serves what, and how many questions may be sent: half, as another may come."""
    async with serving(sim_bundle) as served, raw_stream(served.address) as stream:
        welcome = stream.heard.welcome
        assert welcome is not None
        assert sim_bundle.manifest.digest == welcome.model_digest
        assert ("in-process", 384, 128) == (welcome.worker, welcome.max_seq_length, welcome.max_windows)
        assert 128 // 2 == stream.heard.credit


async def test_who_has_opened_it(sim_bundle: Bundle) -> None:
    """The log tells who opened a stream: the identity, and the name that the client gives itself."""
    with capture_logs() as lines:
        async with serving(sim_bundle) as served, raw_stream(served.address):
            pass
    (line,) = (line for line in lines if line["event"] == "stream opened")
    assert ("anonymous", "raw") == (line["identity"], line["client"])


async def test_results_and_bye(sim_bundle: Bundle) -> None:
    """Every task gets one result, and Bye is answered with Bye once the last is out."""
    async with serving(sim_bundle) as served, raw_stream(served.address) as stream:
        await stream.send_tasks(make_tasks(50))
        await stream.send_tasks(make_tasks(50, "u"))
        await stream.bye()
        heard = await stream.until_end()
        assert {f"{prefix}{number}" for prefix in "tu" for number in range(50)} == set(heard.results)
        assert (0, [], "") == (heard.repeated, heard.errors, heard.bye.reason if heard.bye else None)
        assert grpc.StatusCode.OK is await stream.call.code()


async def test_foreign_model(sim_bundle: Bundle) -> None:
    """A client that wants another model is refused with FAILED_PRECONDITION; one that wants this one is not."""
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await RawStream(channel).hello("f" * 64)
        assert grpc.StatusCode.FAILED_PRECONDITION is caught.value.code()
        assert sim_bundle.manifest.digest in (caught.value.details() or "")
        stream = RawStream(channel)
        await stream.hello(sim_bundle.manifest.digest)
        await stream.bye()
        await stream.until_end()


FIRST_FRAMES = {
    "tasks": pb.ClientFrame(tasks=pb.TaskBatch(frame=1, tasks=[make_task().to_bytes()])).SerializeToString(),
    "bye": pb.ClientFrame(bye=pb.Bye()).SerializeToString(),
    "nothing": b"",
    "garbage": b"\xff\xff\xff",
}


@pytest.mark.parametrize("frame", FIRST_FRAMES.values(), ids=FIRST_FRAMES)
async def test_first_frame_must_be_hello(sim_bundle: Bundle, frame: bytes) -> None:
    """A stream that does not begin with Hello ends INVALID_ARGUMENT, and leaves nothing behind."""
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        stream = RawStream(channel)
        await stream.send(frame)
        with pytest.raises(aio.AioRpcError) as caught:
            await stream.read()
        assert grpc.StatusCode.INVALID_ARGUMENT is caught.value.code()
        await eventually(lambda: served.service.open_streams == 0)
        assert 0 == len(served.rig.inside.admission.capacity._accounts)


async def test_a_client_that_never_says_hello(sim_bundle: Bundle) -> None:
    """A stream that is dropped before its Hello leaves nothing behind."""
    async with serving(sim_bundle) as served, open_raw(served.address) as channel:
        stream = RawStream(channel)
        await stream.call.wait_for_connection()
        await eventually(lambda: served.service.open_streams == 1)
        stream.call.cancel()
        await eventually(lambda: served.service.open_streams == 0)
        assert 0 == len(served.rig.inside.admission.capacity._accounts)


async def test_hello_twice(sim_bundle: Bundle) -> None:
    """A second Hello is refused as a frame; the stream goes on."""
    async with serving(sim_bundle) as served, raw_stream(served.address) as stream:
        await stream.send(pb.ClientFrame(hello=pb.Hello()))
        await stream.send_tasks([make_task()])
        heard = await stream.until(results=1, errors=1)
        assert [("frame.kind", False)] == [(e.error.field, e.HasField("index")) for e in heard.errors]


def with_bytes(task_bytes: bytes, text: bytes, found: bytes) -> bytes:
    assert len(text) == len(found)
    assert found in task_bytes
    return task_bytes.replace(found, text)


MALFORMED = {
    "garbage": b"\xff" * 20,
    "empty": b"",
    "cut-short": make_task("bad").to_bytes()[:-3],
    "invalid-utf8": with_bytes(make_task("bad").to_bytes(), b"\xc3\x28", b"An"),
    "half-a-surrogate-pair": with_bytes(make_task("bad").to_bytes(), b"\xed\xa0\x80", b"Ann"),
}


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
async def test_one_malformed_of_64(sim_bundle: Bundle, malformed: bytes) -> None:
    """A malformed task among 64 in flight is one ItemError with its place; 63 results come, and the stream lives."""
    tasks: list[bytes] = [task.to_bytes() for task in make_tasks(64)]
    tasks[17] = malformed
    async with serving(sim_bundle) as served, raw_stream(served.address) as stream:
        frame = await stream.send_tasks(tasks)
        await stream.send_tasks([make_task("after")])
        heard = await stream.until(results=64, errors=1)
        assert {f"t{n}" for n in range(64)} - {"t17"} | {"after"} == set(heard.results)
        (item,) = heard.errors
        assert (frame, 17, "") == (item.frame, item.index, item.id)
        assert ErrorCode.INVALID_ARGUMENT is error_of(item)


REFUSED_FRAMES = {
    "garbage": (b"\xff" * 40, 0, "frame"),
    "a-byte-over-1-MiB": (
        pb.ClientFrame(tasks=pb.TaskBatch(tasks=[b"x" * MAX_FRAME_BYTES])).SerializeToString(),
        0,
        "frame",
    ),
    "257-tasks": (
        pb.ClientFrame(
            tasks=pb.TaskBatch(frame=7, tasks=[make_task().to_bytes()] * (MAX_TASKS_PER_FRAME + 1))
        ).SerializeToString(),
        7,
        "frame.tasks",
    ),
}


@pytest.mark.parametrize(("frame", "number", "field"), REFUSED_FRAMES.values(), ids=REFUSED_FRAMES)
async def test_a_malformed_frame_costs_only_itself(
    sim_bundle: Bundle, frame: bytes, number: int, field: str
) -> None:
    """A frame that cannot be taken is one ItemError without a place; 63 in flight are answered all the same."""
    async with serving(sim_bundle) as served, raw_stream(served.address) as stream:
        await stream.send_tasks(make_tasks(63))
        await stream.send(frame)
        await stream.send_tasks([make_task("after")])
        heard = await stream.until(results=64, errors=1)
        (item,) = heard.errors
        assert (number, False, field) == (item.frame, item.HasField("index"), item.error.field)


async def test_an_empty_frame_of_tasks(sim_bundle: Bundle) -> None:
    """A frame with no task in it is nothing to complain about."""
    async with serving(sim_bundle) as served, raw_stream(served.address) as stream:
        await stream.send_tasks([])
        await stream.send_tasks([make_task()])
        await stream.bye()
        heard = await stream.until_end()
        assert (1, []) == (len(heard.results), heard.errors)
        assert served.rig.engine.idle.is_set()


async def test_ids_in_flight_are_taken(sim_bundle: Bundle) -> None:
    """An id that is in flight on this stream is refused, in any frame; another stream may use it."""
    async with (
        serving(sim_bundle, "sim:fixed?latency_ms=100") as served,
        raw_stream(served.address) as stream,
        raw_stream(served.address) as other,
    ):
        await stream.send_tasks([make_task("a"), make_task("a")])
        await stream.send_tasks([make_task("a")])
        await other.send_tasks([make_task("a")])
        heard = await stream.until(results=1, errors=2)
        assert [(1, 1, "a"), (2, 0, "a")] == [(item.frame, item.index, item.id) for item in heard.errors]
        assert {ErrorCode.ALREADY_EXISTS} == {error_of(item) for item in heard.errors}
        await other.until(results=1)
        await stream.send_tasks([make_task("a")])  # its result is out: the id is free again
        while stream.heard.repeated == 0:
            await stream.read()


async def test_cancel(sim_bundle: Bundle) -> None:
    """Each withdrawn task is answered once, CANCELLED or with its result; unknown ids do not matter."""
    async with (
        serving(sim_bundle, "sim:fixed?latency_ms=50", slots=1) as served,
        raw_stream(served.address) as stream,
    ):
        await stream.send_tasks(make_tasks(64))  # four batches, one on the device
        await stream.cancel("unknown", *(f"t{number}" for number in range(64)))
        await stream.bye()
        heard = await stream.until_end()
        assert 64 == len(heard.results)
        codes = [q.error.code for r in heard.results.values() for q in r.questions if q.error]
        assert {ErrorCode.CANCELLED} == set(codes)
        assert len(codes) >= 48
        assert (0, 0) == (heard.repeated, served.rig.engine.held_windows)


async def test_timeout(sim_bundle: Bundle) -> None:
    """A task whose timeout_ms passes while it waits is answered DEADLINE_EXCEEDED; others are computed."""
    async with (
        serving(sim_bundle, "sim:fixed?latency_ms=300", slots=1) as served,
        raw_stream(served.address) as stream,
    ):
        await stream.send_tasks(make_tasks(16, "first"))  # on the device for 300 ms
        await served.rig.entered(16)
        hasty = [make_task(f"hasty{number}", timeout_ms=5) for number in range(4)]
        await stream.send_tasks([*hasty, make_task("patient")])
        heard = await stream.until(results=21)
        late = {name for name, result in heard.results.items() if result.questions[0].error}
        assert {task.id for task in hasty} == late
        codes = {q.error.code for name in late for q in heard.results[name].questions if q.error}
        assert {ErrorCode.DEADLINE_EXCEEDED} == codes


async def test_an_idle_stream_is_ended(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream without a frame for the idle time, and with nothing in flight, gets a Bye that says so."""
    monkeypatch.setattr(stream_module, "IDLE_TIMEOUT_S", 0.05)
    async with serving(sim_bundle) as served, raw_stream(served.address) as stream:
        heard = await stream.until_end()
        assert heard.bye is not None
        assert "no frame for 0.05 s" in heard.bye.reason


async def test_a_stream_with_work_is_not_idle(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits for slow results may be silent for as long as they take, and go on afterwards."""
    monkeypatch.setattr(stream_module, "IDLE_TIMEOUT_S", 0.8)  # within which this test has to go on, too
    async with (
        serving(sim_bundle, "sim:fixed?latency_ms=1800") as served,
        raw_stream(served.address) as stream,
    ):
        await stream.send_tasks([make_task("a")])
        await stream.until(results=1)
        await stream.send_tasks([make_task("b")])
        await stream.until(results=2)


async def test_no_result_is_left_behind_a_bye(sim_bundle: Bundle) -> None:
    """Results that come while Draining is being written go out before the Bye."""
    async with serving(sim_bundle) as served:
        rig, written = served.rig, list[pb.ServerFrame]()
        slots = rig.block()

        class Slow:
            """Takes the Draining frame only after everything is computed."""

            async def write(self, message: pb.ServerFrame, /) -> None:
                written.append(message)
                if message.draining:
                    for slot in slots:
                        slot.release()
                    await rig.run(make_task("next"))
                    await rig.engine.idle.wait()

        async def sent() -> AsyncIterator[bytes]:
            yield pb.ClientFrame(hello=pb.Hello()).SerializeToString()
            tasks = pb.TaskBatch(frame=1, tasks=[make_task("a").to_bytes()])
            yield pb.ClientFrame(tasks=tasks).SerializeToString()
            await rig.entered(1)
            stream.drain()
            yield pb.ClientFrame(bye=pb.Bye()).SerializeToString()

        stream = stream_module.WorkStream(rig.inside, sent(), Slow(), caller=Caller(), reads=Reads())
        await stream.serve()
        told = [frame for frame in written if frame != pb.ServerFrame(credit=frame.credit)]
        assert [0, 0, 1, 0] == [len(frame.results) for frame in told]
        assert [False, True, False, False] == [frame.draining for frame in told]
        assert written[-1].HasField("bye")


async def test_many_refusals_fit_their_frames(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends rubbish without reading is held back, and then hears of every piece of it."""
    monkeypatch.setattr(reads, "ITEMS_IN_VAIN", math.inf)
    async with serving(sim_bundle) as served, raw_stream(served.address) as stream:
        frames, each = 400, MAX_TASKS_PER_FRAME
        sending = asyncio.create_task(_send_rubbish(stream, frames, each))
        (inside,) = served.service._streams
        await eventually(lambda: sending.done() or len(inside._errors) >= stream_module.ERRORS_HELD)
        assert len(inside._errors) < stream_module.ERRORS_HELD + each
        heard = await stream.until(errors=frames * each)
        await sending
        assert frames * each == len(heard.errors)
        await stream.send_tasks([make_task()])
        await stream.until(results=1)


async def test_rubbish_is_read_slowly(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends much that comes to nothing is read more slowly, and a neighbour is not."""
    monkeypatch.setattr(reads, "ITEMS_IN_VAIN", 8)
    monkeypatch.setattr(reads, "ITEMS_IN_VAIN_PER_S", 0.01)
    async with (
        serving(sim_bundle) as served,
        raw_stream(served.address) as careless,
        raw_stream(served.address) as neighbour,
    ):
        for _ in range(2):
            await careless.send_tasks([b"\xff"] * 8)
        await careless.until(errors=8)
        for number in range(20):
            await neighbour.send_tasks([make_task(f"{number}")])
            await neighbour.until(results=number + 1)
        assert 8 == len(careless.heard.errors)


async def _send_rubbish(stream: RawStream, frames: int, each: int) -> None:
    for _ in range(frames):
        await stream.send_tasks([b"\xff"] * each)


async def test_two_streams_share(sim_bundle: Bundle) -> None:
    """Two streams at work on one worker both get their results, and none of the other's."""
    async with (
        serving(sim_bundle, "sim:fixed?latency_ms=5") as served,
        raw_stream(served.address) as one,
        raw_stream(served.address) as two,
    ):
        for stream, prefix in ((one, "one"), (two, "two")):
            await stream.send_tasks(make_tasks(16, prefix))
        for stream, prefix in ((one, "one"), (two, "two")):
            heard = await stream.until(results=16)
            assert {f"{prefix}{number}" for number in range(16)} == set(heard.results)
            assert prefix == stream.heard.results[f"{prefix}0"].questions[0].id[:3]
        async with open_raw(served.address) as channel:
            assert 0 == (await describe(channel)).held_windows


async def test_socket_file(sim_bundle: Bundle, tmp_path: Path) -> None:
    """A worker on a socket file serves as one on a port does."""
    async with (
        serving(sim_bundle, listen=f"unix:{tmp_path}/w.sock") as served,
        raw_stream(served.address) as stream,
    ):
        await stream.send_tasks([make_task()])
        await stream.until(results=1)


async def test_short_windows(tmp_path: Path) -> None:
    """Where windows are short the usual stride would step over tokens and is refused; a smaller one serves."""
    bundle = make_sim_bundle(tmp_path / "b", max_seq_length=64)
    context = " ".join(f"anna said {number}." for number in range(100))
    usual = make_task("usual", context=context)
    small = replace(make_task("small", context=context), options=Options(doc_stride=32))
    async with serving(bundle) as served, raw_stream(served.address) as stream:
        await stream.send_tasks([usual, small])
        heard = await stream.until(results=2)
        refused = heard.results["usual"].questions[0].error
        assert refused is not None
        assert "options.doc_stride" == refused.field
        answer = heard.results["small"].questions[0].answer
        assert answer is not None
        assert answer.windows > 10
        assert context[answer.best.start : answer.best.end] == answer.best.text
