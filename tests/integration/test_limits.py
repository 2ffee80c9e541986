"""What a worker refuses: messages beyond the limits while it serves, settings beyond reason before it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import pytest
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.contract import ErrorCode, Refusal
from spanserve.contract.limits import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, MIB
from spanserve.doors.grpc.server import FRAME_MARGIN
from tests.kit.bundles import VOCABULARY
from tests.kit.processes import WorkerProcess
from tests.kit.wire import RawStream, describe, make_task, make_tasks, open_raw, raw_answer, raw_stream

StartWorker = Callable[..., WorkerProcess]

#: How much a worker may grow while it refuses what is too much, in bytes.
GROWTH = 32 * MIB


@pytest.fixture(scope="module")
def worker(sim_bundle: Bundle) -> Iterator[WorkerProcess]:
    """One worker for all that is too much; it must live to the end."""
    with WorkerProcess("--bundle", str(sim_bundle.path), "--device", "sim:fixed") as worker:
        worker.wait_ready()
        yield worker
        assert worker.process.poll() is None


def answer_request() -> bytes:
    task = make_task().to_bytes()
    return b"\x0a" + bytes([len(task)]) + task


async def still_serves(worker: WorkerProcess) -> None:
    """The same worker answers, on a stream and without."""
    async with raw_stream(worker.address) as stream:
        await stream.send_tasks([make_task()])
        await stream.until(results=1)
        async with open_raw(worker.address) as channel:
            assert 0 == (await describe(channel)).host_restarts


async def test_messages_over_4_mib(worker: WorkerProcess) -> None:
    """A message of 4 MiB and a byte ends its stream or call RESOURCE_EXHAUSTED; 20 of them leave no trace in memory."""
    await still_serves(worker)
    too_much = b"\xff" * (MAX_MESSAGE_BYTES + 1)
    before = 0
    for _ in range(10):
        async with open_raw(worker.address) as channel:
            stream = RawStream(channel)
            await stream.hello()
            await stream.send(too_much)
            with pytest.raises(aio.AioRpcError) as caught:
                await stream.until_end()
            assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
            with pytest.raises(aio.AioRpcError) as caught:
                await raw_answer(channel, too_much)
            assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
        before = before or worker.rss  # after the first: buffers are there by now
    growth = worker.rss - before
    print(f"worker grew by {growth / MIB:.1f} MiB over 20 messages of 4 MiB + 1")
    assert growth < GROWTH
    await still_serves(worker)


async def test_frames_over_1_mib(worker: WorkerProcess) -> None:
    """A frame a little over 1 MiB is refused by itself, and the stream goes on; a larger one ends the stream."""
    async with raw_stream(worker.address) as stream:
        await stream.send_tasks(make_tasks(10))
        for size in (MAX_FRAME_BYTES + 1, MAX_FRAME_BYTES + FRAME_MARGIN):
            await stream.send(b"\xff" * size)
        heard = await stream.until(results=10, errors=2)
        assert {ErrorCode.INVALID_ARGUMENT} == {Refusal.from_proto(item.error).code for item in heard.errors}
        assert ["frame"] * 2 == [item.error.field for item in heard.errors]
        await stream.send(b"\xff" * (MAX_FRAME_BYTES + FRAME_MARGIN + 1))
        with pytest.raises(aio.AioRpcError) as caught:
            await stream.until_end()
        assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()


async def test_metadata(worker: WorkerProcess) -> None:
    """Metadata of 17 KiB is always refused, of 9 KiB perhaps; either way by RESOURCE_EXHAUSTED and nothing worse."""
    outcomes: dict[int, set[str]] = {}
    for kib in (1, 9, 17):
        async with open_raw(worker.address) as channel:
            for _ in range(10):
                try:
                    await raw_answer(channel, answer_request(), metadata=(("x-long", "m" * (kib * 1024)),))
                except aio.AioRpcError as error:
                    outcomes.setdefault(kib, set()).add(error.code().name)
                else:
                    outcomes.setdefault(kib, set()).add("OK")
    print(f"outcomes by KiB of metadata: {outcomes}")
    assert {"OK"} == outcomes[1]
    assert outcomes[9] <= {"OK", "RESOURCE_EXHAUSTED"}
    assert {"RESOURCE_EXHAUSTED"} == outcomes[17]
    async with open_raw(worker.address) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await RawStream(channel, metadata=(("x-long", "m" * (17 * 1024)),)).hello()
        assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
    await still_serves(worker)


def with_unknown_fields(data: bytes, count: int) -> bytes:
    """The message with fields behind it that no version knows: numbers from 2000 on, varint 1."""

    def varint(value: int) -> bytes:
        low, rest = value & 0x7F, value >> 7
        return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])

    return data + b"".join(varint((2000 + number) << 3) + b"\x01" for number in range(count))


async def test_unknown_fields(worker: WorkerProcess) -> None:
    """A task with 10,000 fields nobody knows is answered like the plain one; 200 of them leave no trace in memory."""
    task = with_unknown_fields(make_task("odd").to_bytes(), 10_000)
    async with raw_stream(worker.address) as stream:
        await stream.send_tasks([make_task("plain"), task])
        heard = await stream.until(results=2)
        plain, odd = heard.results["plain"], heard.results["odd"]
        assert [q.answer for q in plain.questions] == [q.answer for q in odd.questions]
        before = worker.rss
        for _ in range(200):
            heard.results.pop("odd")
            await stream.send_tasks([task])
            await stream.until(results=2)
        growth = worker.rss - before
        print(f"worker grew by {growth / MIB:.1f} MiB over 200 tasks of {len(task)} bytes")
        assert growth < GROWTH


async def test_a_task_over_64_kib(worker: WorkerProcess) -> None:
    """A task of more than 64 KiB is refused before it is parsed; its neighbours in the frame are not."""
    task = with_unknown_fields(make_task("odd").to_bytes(), 17_000)
    assert len(task) > 65_536
    async with raw_stream(worker.address) as stream:
        await stream.send_tasks([make_task("a"), task, make_task("b")])
        heard = await stream.until(results=2, errors=1)
        assert [("task", 1)] == [(item.error.field, item.index) for item in heard.errors]


# --- Before it serves


def test_a_second_worker_on_the_port(start_worker: StartWorker) -> None:
    """Two workers never share a port: the second one says so and exits with status 2."""
    first = start_worker().wait_ready()
    second = start_worker("--listen", first.address)
    assert 2 == second.wait()
    (line,) = [line for line in second.lines if not line.startswith("{")]
    assert line.startswith(f"spanserve: cannot listen on {first.address}: the address is in use, perhaps by ")
    assert "--listen; port 0 picks a free one" in line
    assert first.process.poll() is None


STARTS = {
    "plaintext-for-all": (["--listen", "0.0.0.0:0"], "plaintext"),
    "no-such-bundle": (["--bundle", "/nowhere/bundle"], "/nowhere/bundle"),
    "no-such-device": (["--device", "tpu:0"], "tpu:0"),
    "no-slots": (["--slots", "-1"], "slots is -1"),
    "key-that-is-not-there": (
        ["--tls-cert", "/nowhere/w.crt", "--tls-key", "/nowhere/w.key"],
        "/nowhere/w.key",
    ),
    "no-such-socket-folder": (
        ["--listen", "unix:/nowhere/at/all.sock"],
        "cannot listen on unix:/nowhere/at/all.sock: the folder /nowhere/at does not exist",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), STARTS.values(), ids=STARTS)
def test_refused_to_start(start_worker: StartWorker, arguments: list[str], message: str) -> None:
    """What cannot be served is refused in one line, with exit status 2, and nothing is served."""
    worker = start_worker(*arguments)
    assert 2 == worker.wait()
    (line,) = [line for line in worker.lines if line.startswith("spanserve: ")]
    assert message in line
    assert [] == worker.records("ready")


def test_plaintext_for_all_if_asked_for(start_worker: StartWorker) -> None:
    """--insecure allows plaintext beyond this machine."""
    worker = start_worker("--listen", "0.0.0.0:0", "--insecure").wait_ready()
    assert worker.address.startswith("0.0.0.0:")


FAILING = {
    "batches-fail": ("fail_id", "told to fail on token id"),
    "host-dies": ("abort_id", "signal SIGABRT"),
}


@pytest.mark.parametrize(("fault", "message"), FAILING.values(), ids=FAILING)
def test_a_device_that_cannot_be_proven(start_worker: StartWorker, fault: str, message: str) -> None:
    """A device that fails on the goldens never serves: the worker exits with status 70 and gives the reason."""
    worker = start_worker(device=f"sim:fixed?{fault}={VOCABULARY['anna']}")
    assert 70 == worker.wait()
    assert message in worker.wait_for("device given up")["reason"]
    assert [] == worker.records("ready")


def test_a_host_that_cannot_start(start_worker: StartWorker, sim_bundle: Bundle) -> None:
    """A device host that cannot load its model, here an empty file, ends the worker with status 70."""
    worker = start_worker(device="cpu")
    assert 70 == worker.wait()
    assert [] == worker.records("ready")
