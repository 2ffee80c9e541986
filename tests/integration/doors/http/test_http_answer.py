"""`POST /v1/answer` with one task, and what else a door says in JSON, over real sockets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spanserve.access import digest_of, new_token
from spanserve.bundle import Bundle
from spanserve.contract import TaskResult
from spanserve.contract.limits import MAX_CONTEXT_BYTES
from spanserve.doors.access import Access
from spanserve.doors.http.models import Result
from spanserve.doors.http.status import Status
from spanserve.doors.listener import AccessSettings
from spanserve.engine.state import Event
from tests.kit.http import get, request
from tests.kit.http_doors import http_door
from tests.kit.json_tasks import result_from_json, task_to_json
from tests.kit.serving import rig
from tests.kit.wire import make_task, make_tasks

ANSWER = "/v1/answer"
TASK = {"context": "Anna Holm said so.", "questions": ["Who said so?"]}


async def post(address: str, content: object, **given: Any) -> tuple[int, dict[str, Any]]:
    """Status and what the body says."""
    status, headers, body = await request(address, "POST", ANSWER, content, **given)
    assert "application/json" == headers["content-type"]
    assert "nosniff" == headers["x-content-type-options"]
    assert "default-src 'none'; frame-ancestors 'none'" == headers["content-security-policy"]
    assert not any(name.startswith("access-control-") for name in headers)
    return status, json.loads(body)


async def test_answer(sim_bundle: Bundle) -> None:
    """The result is the engine's, in the form that the document describes."""
    task = make_task("one", "Who said?", "When?")
    async with rig(sim_bundle) as made, http_door(made) as door:
        (expected,) = await made.run(task)
        status, found = await post(door.address, task_to_json(task))
    assert 200 == status
    Result.model_validate_json(json.dumps(found))
    same = TaskResult.from_bytes(result_from_json(found).to_bytes())
    assert TaskResult.from_bytes(expected.to_bytes()).questions == same.questions
    best = found["questions"][0]
    assert task.context[best["start"] : best["end"]] == best["text"] == best["n_best"][0]["text"]


async def test_plain_questions(sim_bundle: Bundle) -> None:
    """A question may be a text alone, and has its place as its id; one at fault costs itself."""
    async with rig(sim_bundle) as made, http_door(made) as door:
        content = {**TASK, "questions": ["Who?", {"id": "b", "text": " "}, "When?"]}
        status, found = await post(door.address, content)
        alone, of_blank = await post(door.address, {**TASK, "questions": [" "]})
    assert 200 == status
    assert [("0", False), ("b", True), ("2", False)] == [
        (one["id"], "error" in one) for one in found["questions"]
    ]
    error = found["questions"][1]["error"]
    assert ("INVALID_ARGUMENT", "questions.text") == (error["code"], error["field"])
    assert (200, error) == (alone, of_blank["questions"][0]["error"])  # also where there is no other


REFUSED: dict[str, tuple[object, int, str, str]] = {
    "no-json": (b"{", 400, "BAD_REQUEST", ""),
    "no-utf-8": (b'{"context": "\xff"}', 400, "BAD_REQUEST", ""),
    "half-a-pair": (b'{"context": "\\ud800", "questions": ["a"]}', 400, "BAD_REQUEST", ""),
    "deep": (b"[" * 4000, 400, "BAD_REQUEST", ""),
    "many-names": ({**TASK, **{f"k{n}": 1 for n in range(40_000)}}, 422, "OUT_OF_RANGE", "body"),
    "no-object": ([], 422, "INVALID_ARGUMENT", "body"),
    "nothing": ({}, 422, "INVALID_ARGUMENT", "context"),
    "unknown-field": ({**TASK, "contxt": ""}, 422, "INVALID_ARGUMENT", "contxt"),
    "no-questions": ({**TASK, "questions": []}, 422, "INVALID_ARGUMENT", "questions"),
    "too-many": ({**TASK, "questions": ["a"] * 65}, 422, "INVALID_ARGUMENT", "questions"),
    "same-ids": ({**TASK, "questions": ["a", {"id": "0", "text": "b"}]}, 422, "INVALID_ARGUMENT", "questions"),
    "blank": ({**TASK, "context": " "}, 422, "INVALID_ARGUMENT", "context"),
    "long": ({**TASK, "context": "a" * (MAX_CONTEXT_BYTES + 1)}, 422, "INVALID_ARGUMENT", "context"),
    "long-in-bytes": ({**TASK, "context": "é" * MAX_CONTEXT_BYTES}, 422, "OUT_OF_RANGE", "context"),
    "option": ({**TASK, "options": {"n_best": 0}}, 422, "INVALID_ARGUMENT", "options.n_best"),
    "option-as-text": ({**TASK, "options": {"n_best": "3"}}, 422, "INVALID_ARGUMENT", "options.n_best"),
    "id": ({**TASK, "id": "a b"}, 422, "INVALID_ARGUMENT", "id"),
    "priority": ({**TASK, "priority": "high"}, 422, "INVALID_ARGUMENT", "priority"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "status", "code", "field"), REFUSED.values(), ids=REFUSED)
async def test_refused(sim_bundle: Bundle, content: object, status: int, code: str, field: str) -> None:
    """What is wrong is told by status, code and field, and the next task is answered."""
    async with rig(sim_bundle, "sim:fixed?latency_ms=20") as made, http_door(made) as door:
        found, said = await post(door.address, content)
        assert (status, code, field) == (found, said["code"], said.get("field", ""))
        assert said["message"]
        assert 200 == (await post(door.address, TASK))[0]


async def test_late(sim_bundle: Bundle) -> None:
    """A task that was not computed within its timeout_ms is refused by that field."""
    async with rig(sim_bundle, "sim:fixed?latency_ms=200", slots=1) as made, http_door(made) as door:
        made.submit(*make_tasks(16))
        await made.entered(16)
        status, said = await post(door.address, {**TASK, "timeout_ms": 20})
    assert (504, "DEADLINE_EXCEEDED", "timeout_ms") == (status, said["code"], said["field"])


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""]
)
async def test_other_types(sim_bundle: Bundle, kind: str) -> None:
    """What a page of somebody else may send without asking is not taken."""
    async with rig(sim_bundle) as made, http_door(made) as door:
        status, said = await post(door.address, TASK, kind=kind)
        assert (415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type") == (status, said["code"], said["field"])
        assert 200 == (await post(door.address, TASK, kind='application/json; charset="UTF-8"'))[0]


@pytest.mark.parametrize("path", [ANSWER, "/v2/models/qa/infer"])
@pytest.mark.parametrize("coding", ["gzip", "identity, BR"])
async def test_codings(sim_bundle: Bundle, path: str, coding: str) -> None:
    """A body that says it is compressed is refused, whatever it is."""
    async with rig(sim_bundle) as made, http_door(made) as door:
        headers = {"Content-Encoding": coding}
        status, head, said = await request(door.address, "POST", path, TASK, headers=headers)
        assert (415, "identity", "close") == (status, head["accept-encoding"], head["connection"])
        assert all(word in said for word in (b"UNSUPPORTED_MEDIA_TYPE", b"Content-Encoding", b"identity"))
        assert 200 == (await post(door.address, TASK, headers={"Content-Encoding": "Identity"}))[0]


async def test_two_lengths(sim_bundle: Bundle) -> None:
    """A body whose end others may see elsewhere is refused, and what follows it is not taken for a request."""
    async with rig(sim_bundle) as made, http_door(made) as door:
        headers = {"Transfer-Encoding": "chunked", "Connection": "keep-alive"}
        status, head, said = await request(door.address, "POST", ANSWER, TASK, headers=headers)
        assert (400, "close") == (status, head["connection"])
        assert "Transfer-Encoding" == json.loads(said)["field"]
        assert 0 == made.engine.ended_questions


async def test_other_names(sim_bundle: Bundle) -> None:
    """A page whose name was made to lead here gets nothing, not even what is open to all."""
    async with rig(sim_bundle) as made, http_door(made) as door:
        status, said = await post(door.address, TASK, headers={"Host": "evil.example"})
        assert (421, "MISDIRECTED_REQUEST") == (status, said["code"])
        assert 421 == (await request(door.address, "GET", "/livez", headers={"Host": "evil.example:80"}))[0]
        assert 0 == made.engine.ended_questions


async def test_no_preflight(sim_bundle: Bundle) -> None:
    """A browser that asks whether a page of somebody else may send JSON is told no."""
    async with rig(sim_bundle) as made, http_door(made) as door:
        asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
        status, headers, _ = await request(door.address, "OPTIONS", ANSWER, headers=asked)
    assert 405 == status
    assert not any(name.startswith("access-control-") for name in headers)


async def test_states(sim_bundle: Bundle) -> None:
    """Before it is ready and when it drains, a worker takes nothing, says when to come back, and tells its state."""
    async with rig(sim_bundle, ready=False) as made, http_door(made) as door:

        async def look() -> tuple[int, int, str]:
            status, headers, _ = await request(door.address, "POST", ANSWER, TASK)
            assert (status == 503) == (headers.get("retry-after") == "1")
            state = json.loads((await get(door.address, "/v1/status"))[1])["state"]
            return status, (await get(door.address, "/readyz"))[0], state

        assert (503, 503, "starting") == await look()
        made.engine.lifecycle.on(Event.PROVEN)
        assert (200, 200, "ready") == await look()
        await door.drain()
        assert (503, 503, "draining") == await look()
        assert (200, "OK") == await get(door.address, "/livez")


async def test_status(sim_bundle: Bundle) -> None:
    """The status has the form that the document describes, and counts."""
    async with rig(sim_bundle) as made, http_door(made) as door:
        await post(door.address, TASK)
        status, _, body = await request(door.address, "GET", "/v1/status")
    assert 200 == status
    found = Status.model_validate_json(body)
    assert (1, 1) == (found.ended_questions, found.batches)
    assert found.lately.questions_per_s > 0
    assert found.lately.latency_ms is not None


async def test_roles(sim_bundle: Bundle, tmp_path: Any) -> None:
    """A token is shown in a header; it lets in for its roles and tenants, and nothing else does."""
    tokens = {name: new_token(name) for name in ("asker", "viewer")}
    lines = [
        f"asker sha256:{digest_of(tokens['asker']).hex()} ask mine 1 never\n",
        f"viewer sha256:{digest_of(tokens['viewer']).hex()} observe * 1 never\n",
    ]
    (tmp_path / "tokens").write_text("".join(lines))
    access = Access(AccessSettings(tokens=tmp_path / "tokens"))
    listener = access.settings.listener("http", f"unix:{tmp_path}/s?tokens")
    async with rig(sim_bundle, access=access) as made, http_door(made, listener) as door:

        async def statuses(token: str | None, query: str = "") -> list[int]:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            asked = (await request(door.address, "POST", ANSWER + query, TASK, headers=headers))[0]
            paths = ("/v1/status", "/metrics", "/openapi.json", "/livez", "/")
            return [
                asked,
                *[(await request(door.address, "GET", p + query, headers=headers))[0] for p in paths],
            ]

        assert [200, 403, 403, 403, 200, 200] == await statuses(tokens["asker"])
        assert [403, 200, 200, 200, 200, 200] == await statuses(tokens["viewer"])
        assert [401, 401, 401, 401, 200, 200] == await statuses(None)
        assert [401, 401, 401, 401, 200, 200] == await statuses(None, f"?token={tokens['asker']}")
        headers = {"Authorization": f"Bearer {tokens['asker']}"}
        status, said = await post(door.address, {**TASK, "tenant": "yours"}, headers=headers)
        assert (403, "PERMISSION_DENIED", "tenant") == (status, said["code"], said["field"])
        status, found, _ = await request(door.address, "POST", ANSWER, TASK)
        assert (401, "Bearer") == (status, found["www-authenticate"])


async def test_document(sim_bundle: Bundle) -> None:
    """The document that a worker serves is the committed one byte by byte: `cmp` shows whether they differ."""
    async with rig(sim_bundle) as made, http_door(made) as door:
        status, headers, body = await request(door.address, "GET", "/openapi.json")
    assert (200, "application/json") == (status, headers["content-type"])
    assert (Path(__file__).parents[4] / "docs" / "openapi.json").read_bytes() == body


async def test_page(sim_bundle: Bundle) -> None:
    """The page's files are served with a policy that lets them run and ask here only; nothing else of the disk is."""
    async with rig(sim_bundle) as made, http_door(made) as door:
        status, headers, body = await request(door.address, "GET", "/")
        assert (200, "text/html; charset=utf-8") == (status, headers["content-type"])
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert (200, body) == (await request(door.address, "GET", "/page/index.html"))[::2]
        for name in (
            "nowhere.js",
            "../page.py",
            "%2e%2e/page.py",
            "..%2fpage.py",
            "/etc/passwd",
            "",
            "a%00.js",
        ):
            assert 404 == (await request(door.address, "GET", f"/page/{name}"))[0], name
