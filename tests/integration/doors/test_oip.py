"""The Open Inference Protocol on the gRPC port of a worker, by hand over a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from math import isnan
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import descriptor_pb2
from grpc import aio
from grpc_reflection.v1alpha import reflection_pb2

from spanserve.bundle import Bundle
from spanserve.contract import Options, Priority, Question, Task, TaskResult
from spanserve.contract.limits import MAX_FRAME_BYTES
from spanserve.device.host.simulated import answers
from spanserve.doors.grpc.oip import messages
from spanserve.engine.state import Event
from tests.kit.oip import bytes_tensor, call, columns, infer_request, int_tensor, qa_tensors
from tests.kit.serving import Served, serving
from tests.kit.waiting import eventually
from tests.kit.wire import CONTEXT, make_task, make_tasks, open_raw

STATUS = grpc.StatusCode
ROWS = [("Who said?", CONTEXT), ("When did it freeze?", CONTEXT), ("Who said?", f"{CONTEXT} Holm again.")]
IDS = [[5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]


@pytest.fixture
async def served(sim_bundle: Bundle) -> AsyncIterator[Served]:
    async with serving(sim_bundle) as made:
        yield made


@pytest.fixture
async def channel(served: Served) -> AsyncIterator[aio.Channel]:
    async with open_raw(served.address) as made:
        yield made


def tokens(ids: list[list[int]]) -> list[Any]:
    """The inputs of `logits`, nothing masked."""
    names = ("input_ids", "attention_mask", "token_type_ids")
    arrays = (ids, np.ones_like(ids).tolist(), np.zeros_like(ids).tolist())
    return [int_tensor(name, array) for name, array in zip(names, arrays, strict=True)]


async def refused(channel: aio.Channel, request: Any, method: str = "ModelInfer") -> tuple[STATUS, str]:
    """Status and sentence of a call that fails."""
    with pytest.raises(aio.AioRpcError) as caught:
        await call(channel, method, request)
    return caught.value.code(), caught.value.details() or ""


async def own_results(
    served: Served, rows: list[tuple[str, str]], options: Options | None = None
) -> list[TaskResult]:
    """What our own tasks get."""
    tasks = [
        replace(make_task(f"own{n}", question, context=context), options=options or Options())
        for n, (question, context) in enumerate(rows)
    ]
    return await served.rig.run(*tasks)


async def test_state(sim_bundle: Bundle) -> None:
    """The server is live from the start, and ready with its models while calls are let in."""
    async with serving(sim_bundle, ready=False) as served, open_raw(served.address) as channel:

        async def states() -> tuple[bool, bool, bool]:
            model = await call(channel, "ModelReady", messages.ModelReadyRequest(name="qa"))
            live, server = await call(channel, "ServerLive"), await call(channel, "ServerReady")
            return live.live, server.ready, model.ready

        assert (True, False, False) == await states()
        assert STATUS.UNAVAILABLE is (await refused(channel, infer_request("qa", [])))[0]
        served.rig.engine.lifecycle.on(Event.PROVEN)
        assert (True, True, True) == await states()
        served.door._calls.drain()
        assert (True, False, False) == await states()
        said = await refused(channel, infer_request("qa", []))
        assert (STATUS.UNAVAILABLE, "UNAVAILABLE: the worker is draining") == said


async def test_leaving(served: Served, channel: aio.Channel) -> None:
    """A worker that is told to stop says not ready at once; calls that still come are let in for a moment."""
    draining = asyncio.create_task(served.door.drain())

    async def not_ready() -> bool:
        return not (await call(channel, "ServerReady")).ready

    await eventually(not_ready)
    assert not draining.done()
    await call(channel, "ModelInfer", infer_request("qa", qa_tensors(*ROWS)))
    draining.cancel()


async def test_metadata(served: Served, channel: aio.Channel) -> None:
    """What models take and give can be asked; their version is the digest of what the worker serves."""
    manifest = served.rig.inside.manifest
    assert "spanserve" == (await call(channel, "ServerMetadata")).name
    qa = await call(channel, "ModelMetadata", messages.ModelMetadataRequest(name="qa"))
    assert ([manifest.digest], "spanserve_bundle") == (list(qa.versions), qa.platform)
    assert [("question", "BYTES", [-1]), ("context", "BYTES", [-1])] == [
        (tensor.name, tensor.datatype, list(tensor.shape)) for tensor in qa.inputs
    ]
    names = ["answer", "start", "end", "score", "no_answer_score", "error"]
    assert names == [tensor.name for tensor in qa.outputs]
    request = messages.ModelMetadataRequest(name="logits", version=manifest.digest)
    logits = await call(channel, "ModelMetadata", request)
    assert [tensor.name for tensor in manifest.inputs] == [tensor.name for tensor in logits.inputs]
    assert ["start_logits", "end_logits", "error"] == [tensor.name for tensor in logits.outputs]
    assert ("256", "384") == (logits.properties["max_rows"], logits.properties["max_seq_length"])


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
@pytest.mark.parametrize("shape", [[3], [3, 1]], ids=str)
async def test_answers(served: Served, channel: aio.Channel, raw: bool, shape: list[int]) -> None:
    """Every row gets the answer that a task of our own gets, in the shape and form in which it came."""
    expected = [result.questions[0].found for result in await own_results(served, ROWS)]
    tensors = [replace(tensor, shape=tuple(shape)) for tensor in qa_tensors(*ROWS)]
    response = await call(channel, "ModelInfer", infer_request("qa", tensors, raw=raw, id="an id"))
    assert ("qa", served.rig.inside.manifest.digest, "an id") == (
        response.model_name,
        response.model_version,
        response.id,
    )
    assert raw == bool(response.raw_output_contents)
    found = columns(response)
    assert {tuple(shape)} == {array.shape for array in found.values()}
    assert [answer.best.text.encode() for answer in expected] == found["answer"].ravel().tolist()
    assert [(answer.best.start, answer.best.end) for answer in expected] == list(
        zip(found["start"].ravel().tolist(), found["end"].ravel().tolist(), strict=True)
    )
    for name, scores in (
        ("score", [answer.best.score for answer in expected]),
        ("no_answer_score", [answer.no_answer_score for answer in expected]),
    ):
        assert np.array_equal(np.array(scores, np.float32), np.array(found[name], np.float32).ravel())
    assert [b""] * 3 == found["error"].ravel().tolist()


async def test_candidates(served: Served, channel: aio.Channel) -> None:
    """With n_best every row has its candidates side by side, best first, and nothing behind the last."""
    options = Options(n_best=100, max_answer_length=4)
    expected = [result.questions[0].found for result in await own_results(served, ROWS, options)]
    request = infer_request(
        "qa", qa_tensors(*ROWS), parameters={"n_best": 100, "max_answer_length": 4, "priority": 1}
    )
    found = columns(await call(channel, "ModelInfer", request))
    assert (3, 100) == found["answer"].shape == found["score"].shape
    assert (3,) == found["no_answer_score"].shape == found["error"].shape
    for row, answer in enumerate(expected):
        count = len(answer.n_best.starts)
        assert 1 < count < 100
        for name, column in (("start", answer.n_best.starts), ("end", answer.n_best.ends)):
            assert [*column] == found[name][row, :count].tolist()
            assert {-1} == set(found[name][row, count:].tolist())
        texts = [
            ROWS[row][1][a:b].encode() for a, b in zip(answer.n_best.starts, answer.n_best.ends, strict=True)
        ]
        assert texts == found["answer"][row, :count].tolist()
        assert np.isnan(found["score"][row, count:]).all()


async def test_chosen_outputs(served: Served, channel: aio.Channel) -> None:
    """Only the outputs that are asked for come back, in that order."""
    request = infer_request("qa", qa_tensors(*ROWS))
    for name in ("score", "answer"):
        request.outputs.add(name=name)
    assert ["score", "answer"] == list(columns(await call(channel, "ModelInfer", request)))


async def test_bad_rows(served: Served, channel: aio.Channel) -> None:
    """A row at fault has a sentence in its row of `error`, and no answer; its neighbours are answered."""
    rows: list[tuple[str | bytes, str | bytes]] = [
        ROWS[0],
        (" ", CONTEXT),
        ("w" * 513, CONTEXT),
        (b"\xff", CONTEXT),
        ("Who?", "\t"),
        ("Who?", b"Anna \xc3"),
        ("Who?", "x" * 49153),
        ROWS[1],
    ]
    found = columns(await call(channel, "ModelInfer", infer_request("qa", qa_tensors(*rows))))
    assert [
        "",
        "INVALID_ARGUMENT: question: holds nothing but white space",
        "OUT_OF_RANGE: question: too many characters (found 513 characters, limit 512 characters)",
        "INVALID_ARGUMENT: question: is not UTF-8",
        "INVALID_ARGUMENT: context: holds nothing but white space",
        "INVALID_ARGUMENT: context: is not UTF-8",
        "OUT_OF_RANGE: context: too many bytes (found 49153 bytes, limit 49152 bytes)",
        "",
    ] == [error.decode() for error in found["error"]]
    expected = [result.questions[0].text for result in await own_results(served, [ROWS[0], ROWS[1]])]
    assert expected == [found["answer"][0].decode(), found["answer"][7].decode()]
    for row in range(1, 7):
        assert (b"", -1, -1) == (found["answer"][row], found["start"][row], found["end"][row])
        assert isnan(found["score"][row])
        assert isnan(found["no_answer_score"][row])


async def test_logits(served: Served, channel: aio.Channel) -> None:
    """Rows of tokens get the logits that the model gives for them, beside questions too; a row at fault its error."""
    ids = [*IDS, [1, 2, 3, 10**6]]
    request = infer_request("logits", tokens(ids))
    response, _ = await asyncio.gather(
        call(channel, "ModelInfer", request),
        call(channel, "ModelInfer", infer_request("qa", qa_tensors(*ROWS))),
    )
    found, expected = columns(response), answers({"input_ids": np.array(IDS, np.int32)})
    for name in ("start_logits", "end_logits"):
        assert np.array_equal(expected[name], found[name][:3])
        assert np.isnan(found[name][3]).all()
    *fine, error = found["error"].tolist()
    assert [b""] * 3 == fine
    assert b"INVALID_ARGUMENT: input_ids: out of range (found 1000000, limit 0 to " in error


async def test_batches_are_shared(served: Served, channel: aio.Channel) -> None:
    """Rows of both models run in one batch with a task of our own, where they are as long."""
    made = served.rig
    slots = made.block()
    made.submit(make_task("own"))
    await made.entered(1)
    (own,) = made.engine._requests
    length = own.encoded.questions[0].windows[0].tokens  # type: ignore[union-attr] # it has entered
    long = [[*range(20, 20 + length)]] * 2
    calls = [
        asyncio.ensure_future(call(channel, "ModelInfer", infer_request("qa", qa_tensors(*[ROWS[0]] * 3)))),
        asyncio.ensure_future(call(channel, "ModelInfer", infer_request("logits", tokens(long)))),
    ]
    await made.entered(5)
    for slot in slots:
        slot.release()
    await made.run(make_task("next"))
    await asyncio.gather(*calls)
    assert (1, 7) == (made.engine.batches, made.metrics.windows._value.get())


async def test_of_a_task(served: Served, channel: aio.Channel) -> None:
    """Parameters and the id of a request are those of its tasks; an id that no task can have stays outside."""
    made = served.rig
    slots = made.block()
    given = {"timeout": 7_000_001, "priority": "interactive"}
    calls = [
        asyncio.ensure_future(call(channel, "ModelInfer", infer_request("qa", qa_tensors(ROWS[0]), **more)))
        for more in ({"id": "fits", "parameters": given}, {"id": "does not fit"})
    ]
    await made.entered(2)
    tasks: dict[str, Task] = {request.task.id: request.task for request in made.engine._requests}
    assert {"fits", "-"} == tasks.keys()
    assert (7001, Priority.INTERACTIVE) == (tasks["fits"].timeout_ms, tasks["fits"].priority)
    assert (30_000, Priority.BULK) == (tasks["-"].timeout_ms, tasks["-"].priority)
    assert (Question("row", "Who said?"),) == tasks["fits"].questions
    for slot in slots:
        slot.release()
    await made.run(make_task("next"))
    await asyncio.gather(*calls)


async def test_gone(served: Served, channel: aio.Channel) -> None:
    """What a client does not wait for any more is not computed."""
    made = served.rig
    slots = made.block()
    calls = [
        asyncio.ensure_future(call(channel, "ModelInfer", infer_request("qa", qa_tensors(*ROWS)))),
        asyncio.ensure_future(call(channel, "ModelInfer", infer_request("logits", tokens(IDS)))),
    ]
    await made.entered(6)
    for one in calls:
        one.cancel()
    await eventually(lambda: all(request.cancelled for request in made.engine._requests))
    for slot in slots:
        slot.release()
    await made.run(make_task("next"))
    await made.engine.idle.wait()
    assert 1 == made.metrics.windows._value.get()
    assert not served.door._calls._accounts


async def test_late(sim_bundle: Bundle) -> None:
    """Rows that were not computed within the parameter `timeout` are late; where all are, the call says so."""
    device = "sim:fixed?latency_ms=200"
    async with serving(sim_bundle, device, slots=1) as served, open_raw(served.address) as channel:
        served.rig.submit(*make_tasks(16))
        await served.rig.entered(16)
        request = infer_request("qa", qa_tensors(*ROWS), parameters={"timeout": 20_000})
        said = await refused(channel, request)
        sentence = "DEADLINE_EXCEEDED: parameters.timeout: not computed in time (limit 20 ms)"
        assert (STATUS.DEADLINE_EXCEEDED, sentence) == said


QA = qa_tensors(*ROWS)
#: Requests that ask for what there is not.
SPOILED: dict[str, Any] = {
    "model": infer_request("bert", QA),
    "version": infer_request("qa", QA, model_version="1"),
    "shape": infer_request("qa", [replace(tensor, shape=(1, 3)) for tensor in QA]),
    "length": infer_request("qa", [replace(tensor, shape=(4,)) for tensor in QA]),
    "datatype": infer_request("qa", [QA[0], int_tensor("context", [[1]])]),
    "missing": infer_request("qa", QA[:1]),
    "parameter": infer_request("qa", QA, parameters={"top_k": 1}),
    "parameter of the other model": infer_request("logits", tokens(IDS), parameters={"n_best": 1}),
    "rows": infer_request("qa", qa_tensors(*[("Who?", "Anna.")] * 257)),
    "windows": infer_request("qa", qa_tensors(*[("Who?", "Anna said so. " * 400)] * 100)),
    "tokens": infer_request("logits", tokens([[1] * 385])),
    "flat": infer_request("logits", [replace(tensor, shape=(12,)) for tensor in tokens(IDS)]),
    "no message": b"\xff",
}


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ("model", STATUS.NOT_FOUND, "there is no model 'bert' here, only qa and logits"),
        ("version", STATUS.NOT_FOUND, "qa has no version '1' here, its only one is "),
        ("shape", STATUS.INVALID_ARGUMENT, "inputs.question.shape: "),
        ("length", STATUS.INVALID_ARGUMENT, "found 3 whole elements in 49 bytes, limit 4 elements"),
        ("datatype", STATUS.INVALID_ARGUMENT, "inputs.context.datatype: "),
        ("missing", STATUS.INVALID_ARGUMENT, "inputs.context: is missing"),
        ("parameter", STATUS.INVALID_ARGUMENT, "found top_k, limit n_best, max_answer_length, timeout, priority"),
        ("parameter of the other model", STATUS.INVALID_ARGUMENT, "found n_best, limit timeout, priority"),
        ("rows", STATUS.OUT_OF_RANGE, "found 257 rows, limit 256 rows"),
        ("windows", STATUS.OUT_OF_RANGE, "limit 512 windows, as estimated"),
        ("tokens", STATUS.INVALID_ARGUMENT, "found [1, 385], limit [N, S], S from 1 to 384"),
        ("flat", STATUS.INVALID_ARGUMENT, "found [12], limit [N, S], S from 1 to 384"),
        ("no message", STATUS.INVALID_ARGUMENT, "not a ModelInferRequest"),
    ],
)  # fmt: skip
async def test_refused(served: Served, channel: aio.Channel, change: str, status: STATUS, said: str) -> None:
    """A request at fault as a whole ends with a status of its kind and a sentence; the next is answered."""
    found, sentence = await refused(channel, SPOILED[change])
    assert status is found, sentence
    assert said in sentence
    assert 0 == served.rig.engine.ended_questions
    await call(channel, "ModelInfer", infer_request("qa", qa_tensors(ROWS[0])))


async def test_no_such_model(channel: aio.Channel) -> None:
    """Metadata and readiness know no other model or version either."""
    for method in ("ModelMetadata", "ModelReady"):
        kind = getattr(messages, f"{method}Request")
        for given in ({"name": "bert"}, {"name": "qa", "version": "7"}):
            assert STATUS.NOT_FOUND is (await refused(channel, kind(**given), method))[0]
        assert STATUS.INVALID_ARGUMENT is (await refused(channel, b"\xff", method))[0]


async def test_too_large_a_message(channel: aio.Channel) -> None:
    """What is larger than any request may be is not even read."""
    tensors = [bytes_tensor("question", ["Who?"]), bytes_tensor("context", ["x" * (MAX_FRAME_BYTES + 4096)])]
    status, _ = await refused(channel, infer_request("qa", tensors))
    assert STATUS.RESOURCE_EXHAUSTED is status


async def test_too_large_a_response(channel: aio.Channel) -> None:
    """A response that no message holds is refused with its size."""
    rows = [("Who?", " ".join(["x" * 101] * 30))] * 80
    request = infer_request("qa", qa_tensors(*rows), parameters={"n_best": 100})
    status, sentence = await refused(channel, request)
    assert STATUS.OUT_OF_RANGE is status
    assert "outputs: too many bytes" in sentence


async def test_reflection(sim_bundle: Bundle) -> None:
    """Reflection lists the service and describes it, beside our own."""
    async with serving(sim_bundle, reflection=True) as served, open_raw(served.address) as channel:
        reflect: Any = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        stream = reflect()
        await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        listed = (await stream.read()).list_services_response.service
        ours = ["inference.GRPCInferenceService", "spanserve.v1.QuestionAnswering"]
        assert set(ours) <= {service.name for service in listed}
        for name in ours:
            await stream.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=name))
            files = (await stream.read()).file_descriptor_response.file_descriptor_proto
            services = [
                f"{file.package}.{service.name}"
                for file in map(descriptor_pb2.FileDescriptorProto.FromString, files)
                for service in file.service
            ]
            assert [name] == services
        stream.cancel()
