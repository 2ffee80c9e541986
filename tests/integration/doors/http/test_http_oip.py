"""The Open Inference Protocol over HTTP: JSON, contents behind it, and errors in the protocol's own words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from spanserve.access import Role
from spanserve.bundle import Bundle
from spanserve.device.host.simulated import answers
from spanserve.doors.access import Access
from spanserve.doors.http.door import HttpDoor
from spanserve.doors.http.oip.coding import JSON_LENGTH, OCTETS
from spanserve.doors.listener import AccessSettings
from spanserve.doors.oip.tensor import from_raw
from tests.kit.http import JSON, request
from tests.kit.http_doors import http_door
from tests.kit.oip import qa_tensors
from tests.kit.serving import Rig, rig
from tests.kit.wire import CONTEXT, make_task

ROWS = [("Who said?", CONTEXT), (" ", CONTEXT), ("When did it freeze?", f"{CONTEXT} Holm again.")]
INFER = "/v2/models/qa/infer"


@pytest.fixture
async def made(sim_bundle: Bundle) -> AsyncIterator[Rig]:
    async with rig(sim_bundle) as found:
        yield found


@pytest.fixture
async def door(made: Rig) -> AsyncIterator[HttpDoor]:
    async with http_door(made) as found:
        yield found


def texts(rows: list[tuple[str, str]], shape: list[int] | None = None) -> list[dict[str, Any]]:
    return [
        {"name": name, "datatype": "BYTES", "shape": shape or [len(rows)], "data": list(column)}
        for name, column in zip(("question", "context"), zip(*rows, strict=True), strict=True)
    ]


async def ask(
    door: HttpDoor, content: object, path: str = INFER, **given: Any
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and what the JSON says."""
    status, headers, body = await request(door.address, "POST", path, content, **given)
    return status, headers, json.loads(body)


async def get(door: HttpDoor, path: str) -> tuple[int, Any]:
    status, _, body = await request(door.address, "GET", path)
    return status, json.loads(body)


async def test_states_and_metadata(door: HttpDoor, made: Rig) -> None:
    """Server and models tell what they are, under their names and versions; others are not found."""
    digest = made.inside.manifest.digest
    assert (200, {"live": True}) == await get(door, "/v2/health/live")
    assert (200, {"ready": True}) == await get(door, "/v2/health/ready")
    assert (200, {"name": "qa", "ready": True}) == await get(door, f"/v2/models/qa/versions/{digest}/ready")
    status, server = await get(door, "/v2")
    assert (200, "spanserve", ["binary_tensor_data"]) == (status, server["name"], server["extensions"])
    status, model = await get(door, "/v2/models/logits")
    assert (200, [digest]) == (status, model["versions"])
    assert {"name": "input_ids", "datatype": "INT32", "shape": [-1, -1]} == model["inputs"][0]
    for path in ("/v2/models/bert", "/v2/models/qa/versions/7", "/v2/models/bert/ready"):
        status, said = await get(door, path)
        assert (404, {"error"}) == (status, said.keys())
    door._calls.drain()
    assert (503, {"ready": False}) == await get(door, "/v2/health/ready")


async def test_answers(door: HttpDoor, made: Rig) -> None:
    """Rows get what tasks of our own get; a row at fault has its reason, and null for numbers."""
    tasks = [make_task(f"t{n}", question, context=context) for n, (question, context) in enumerate(ROWS)]
    expected = await made.run(*tasks)
    status, _, said = await ask(door, {"id": "7", "inputs": texts(ROWS, [3, 1])})
    assert (200, "qa", "7") == (status, said["model_name"], said["id"])
    outputs = {output["name"]: output for output in said["outputs"]}
    assert {(3, 1)} == {tuple(output["shape"]) for output in outputs.values()}
    for row in (0, 2):
        best = expected[row].questions[0].found.best
        assert (best.text, best.start, best.end, "") == tuple(
            outputs[name]["data"][row] for name in ("answer", "start", "end", "error")
        )
        assert np.float32(best.score) == np.float32(outputs["score"]["data"][row])
    assert ["", -1, None, None] == [
        outputs[name]["data"][1] for name in ("answer", "start", "score", "no_answer_score")
    ]
    assert "INVALID_ARGUMENT: question: holds nothing but white space" in outputs["error"]["data"][1]


@pytest.mark.parametrize("kind", [OCTETS, JSON, None], ids=["octets", "json", "no type"])
async def test_contents_behind_the_json(door: HttpDoor, kind: str | None) -> None:
    """With the extension for binary data contents go in and come out after the JSON."""
    tensors = qa_tensors(ROWS[0], ROWS[2])
    raws = [tensor.to_raw() for tensor in tensors]
    inputs = [
        {
            "name": tensor.name,
            "datatype": "BYTES",
            "shape": [2],
            "parameters": {"binary_data_size": len(raw)},
        }
        for tensor, raw in zip(tensors, raws, strict=True)
    ]
    outputs = [{"name": "start", "parameters": {"binary_data": True}}, {"name": "answer"}]
    head = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    headers = {JSON_LENGTH: str(len(head))} | ({} if kind is None else {"Content-Type": kind})
    status, said, body = await request(
        door.address, "POST", INFER, b"".join((head, *raws)), kind=kind or "", headers=headers
    )
    assert (200, OCTETS) == (status, said["content-type"])
    length = int(said[JSON_LENGTH.lower()])
    found = json.loads(body[:length])["outputs"]
    assert {"binary_data_size": 8} == found[0]["parameters"]
    starts = from_raw("start", "INT32", (2,), body[length:])
    for start, text, (_, context) in zip(starts, found[1]["data"], (ROWS[0], ROWS[2]), strict=True):
        assert context[start:].startswith(text)


async def test_logits(door: HttpDoor) -> None:
    """Rows of tokens as nested lists; logits come back flat."""
    ids = [[5, 6, 7, 8], [9, 10, 11, 12]]
    arrays = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids).tolist(),
        "token_type_ids": np.zeros_like(ids).tolist(),
    }
    inputs = [
        {"name": name, "datatype": "INT32", "shape": [2, 4], "data": data} for name, data in arrays.items()
    ]
    status, _, said = await ask(door, {"inputs": inputs}, "/v2/models/logits/infer")
    assert 200 == status
    expected = answers({"input_ids": np.array(ids, np.int32)})
    for output in said["outputs"][:2]:
        assert expected[output["name"]].ravel().tolist() == output["data"]


@pytest.mark.parametrize(
    ("content", "given", "status", "said"),
    [
        ({"inputs": texts(ROWS)[:1]}, {}, 422, "inputs.context: is missing"),
        ({"inputs": texts(ROWS, [4])}, {}, 422, "found 3 elements, limit 4 elements"),
        ({"inputs": texts(ROWS), "parameters": {"top_k": 1}}, {}, 422, "parameters.top_k"),
        ({"inputs": texts(ROWS), "parameters": {"n_best": 101}}, {}, 422, "parameters.n_best"),
        ({"inputs": [{**texts(ROWS)[0], "data": None}]}, {}, 422, "needs contents"),
        ({"inputs": [{**texts(ROWS)[0], "data": [1, 2, 3]}, texts(ROWS)[1]]}, {}, 422, "limit str for BYTES"),
        ({"inputs": texts(ROWS), "model_name": "bert"}, {}, 422, "model_name: is not the name in the path"),
        ({"inputs": [{**texts(ROWS)[0], "data": [{}] * 120_000}]}, {}, 422, "body: too many names, texts"),
        ({"inputs": [{**texts(ROWS)[0], "data": [1.5] * 90_000}]}, {}, 422, "inputs.0.data."),
        (b"{", {}, 400, "BAD_REQUEST"),
        (b"{}", {"kind": "text/plain"}, 415, "Content-Type"),
        (b"{}", {"kind": OCTETS}, 415, JSON_LENGTH),
        (b"{}", {"headers": {JSON_LENGTH: "3"}}, 422, "is more than the body (found 3, limit 2 bytes)"),
        (b"{}", {"headers": {JSON_LENGTH: "-1"}}, 422, "is not a number of bytes"),
        ({"inputs": texts(ROWS[1:2])}, {}, 422, "question: holds nothing but white space"),
    ],
)  # fmt: skip
async def test_refused(
    door: HttpDoor, content: object, given: dict[str, Any], status: int, said: str
) -> None:
    """A request at fault has a status and one sentence, under the name that the protocol has for it."""
    found, _, answer = await ask(door, content, **given)
    assert (status, {"error"}) == (found, answer.keys())
    assert said in answer["error"]


async def test_binary_sizes(door: HttpDoor) -> None:
    """Binary data that is not what the inputs say is refused with both lengths."""
    inputs = [{**one, "parameters": {"binary_data_size": 9}} for one in texts(ROWS)]
    for entry in inputs:
        del entry["data"]
    head = json.dumps({"inputs": inputs}).encode()
    for behind in (17, 19):
        headers = {JSON_LENGTH: str(len(head))}
        status, _, said = await ask(door, head + b"x" * behind, kind=OCTETS, headers=headers)
        assert 422 == status
        assert f"found {behind} bytes after the JSON, limit 18 bytes" in said["error"]


async def test_unknown_model(door: HttpDoor) -> None:
    """Who asks a model that there is not is told which there are, whatever the body says."""
    status, _, said = await ask(door, b"nonsense", "/v2/models/bert/infer")
    assert (404, "NOT_FOUND: there is no model 'bert' here, only qa and logits") == (
        status,
        said["error"],
    )


async def test_too_large_a_response(door: HttpDoor) -> None:
    """A response that is larger than a message on any door may be is refused with its size."""
    rows = [("Who?", " ".join(["x" * 101] * 30))] * 80
    status, _, said = await ask(door, {"inputs": texts(rows), "parameters": {"n_best": 100}})
    assert (422, True) == (status, "outputs: too many bytes" in said["error"])


async def test_roles(sim_bundle: Bundle) -> None:
    """Who may only observe is told of models and not answered, in the protocol's own words; health is for everybody."""
    for role, allowed in ((Role.OBSERVE, (200, 401)), (Role.ASK, (401, 200))):
        access = Access(AccessSettings(anonymous=frozenset({role})))
        async with rig(sim_bundle, access=access) as made, http_door(made) as door:
            assert (200, {"live": True}) == await get(door, "/v2/health/live")
            status, said = await get(door, "/v2/models/qa")
            asked, _, answer = await ask(door, {"inputs": texts(ROWS[:1])})
            assert allowed == (status, asked)
            denied = said if status == 401 else answer
            assert {"error"} == denied.keys()
