"""`POST /v1/answer` with many tasks, a line each, over real sockets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from spanserve.access import digest_of, new_token
from spanserve.bundle import Bundle
from spanserve.doors.access import Access
from spanserve.doors.http.models import ErrorLine, ResultLine
from spanserve.doors.listener import AccessSettings
from tests.kit.http import NDJSON, open_lines, request
from tests.kit.http_doors import http_door
from tests.kit.json_tasks import task_to_json
from tests.kit.serving import rig
from tests.kit.waiting import eventually
from tests.kit.wire import make_tasks


async def test_many(sim_bundle: Bundle) -> None:
    """Every line becomes a line, with the number of its own; one at fault costs itself."""
    tasks = make_tasks(300)
    content = [json.dumps(task_to_json(task)).encode() for task in tasks]
    content[7], content[99] = b"{", b'{"context": "a"}'
    content[200] = json.dumps({f"k{n}": 1 for n in range(40_000)}).encode()
    async with rig(sim_bundle) as made, http_door(made) as door:
        status, headers, body = await request(
            door.address, "POST", "/v1/answer", b"\n".join(content), kind=NDJSON
        )
        await eventually(made.engine.idle.is_set)
        assert 0 == made.engine.held_windows
    assert (200, NDJSON) == (status, headers["content-type"])
    found = {json.loads(line)["line"]: line for line in body.splitlines()}
    assert list(range(1, 301)) == sorted(found)
    for number, line in found.items():
        if number in (8, 100, 201):
            codes = {8: "BAD_REQUEST", 100: "INVALID_ARGUMENT", 201: "OUT_OF_RANGE"}
            assert codes[number] == ErrorLine.model_validate_json(line).error.code
        else:
            assert f"t{number - 1}" == ResultLine.model_validate_json(line).id


async def test_as_soon_as_there_is_one(sim_bundle: Bundle) -> None:
    """A result is there before the next task is sent."""
    async with rig(sim_bundle) as made, http_door(made) as door, open_lines(door.address) as stream:
        lines = stream.lines()
        for number, task in enumerate(make_tasks(3), 1):
            await stream.send(task_to_json(task))
            assert (number, task.id) == ((found := await anext(lines))["line"], found["id"])
        stream.end()
        assert [] == [line async for line in lines]


async def test_no_faster_than_the_worker(sim_bundle: Bundle) -> None:
    """While the device stands still, no more lines are read than the worker wants to hold; then all are answered."""
    tasks = make_tasks(1500)
    async with rig(sim_bundle) as made, http_door(made) as door, open_lines(door.address) as stream:
        slots = made.block()
        sending = asyncio.create_task(_send_all(stream, [task_to_json(task) for task in tasks]))
        room = made.engine.capacity_windows
        await eventually(lambda: len(made.engine._requests) >= room // 4)
        for _ in range(50):
            await asyncio.sleep(0.01)
            assert len(made.engine._requests) <= room + 1
        for slot in slots:
            slot.release()
        await made.run(make_tasks(1, "next")[0])
        found = [line async for line in stream.lines()]
        await sending
        assert {task.id for task in tasks} == {line["id"] for line in found}
        assert not any("error" in line for line in found)


async def _send_all(stream: Any, contents: list[dict[str, Any]]) -> None:
    for content in contents:
        await stream.send(content)
    stream.end()


async def test_same_id(sim_bundle: Bundle) -> None:
    """An id that is in flight is refused, and may come again once it is not."""
    task = task_to_json(make_tasks(1)[0])
    async with rig(sim_bundle) as made, http_door(made) as door, open_lines(door.address) as stream:
        slots = made.block()
        await stream.send(task)
        await stream.send(task)
        lines = stream.lines()
        assert (2, "ALREADY_EXISTS") == ((found := await anext(lines))["line"], found["error"]["code"])
        for slot in slots:
            slot.release()
        await made.run(make_tasks(1, "next")[0])
        assert 1 == (await anext(lines))["line"]
        await stream.send(task)
        assert (3, "t0") == ((found := await anext(lines))["line"], found["id"])


async def test_drain(sim_bundle: Bundle) -> None:
    """A worker that drains answers what it holds, takes no more lines, and says from which on."""
    async with rig(sim_bundle) as made, http_door(made) as door, open_lines(door.address) as stream:
        slots = made.block()
        await stream.send(task_to_json(make_tasks(1)[0]))
        await made.entered(1)
        await door.drain()
        for slot in slots:
            slot.release()
        await made.run(make_tasks(1, "next")[0])
        found = {line["line"]: line async for line in stream.lines()}
    assert "t0" == found[1]["id"]
    assert "UNAVAILABLE" == found[2]["error"]["code"]


async def test_withdrawn_token(sim_bundle: Bundle, tmp_path: Any) -> None:
    """A stream whose token is no longer in the list ends at the next look."""
    token = new_token("asker")
    path = tmp_path / "tokens"
    path.write_text(f"asker sha256:{digest_of(token).hex()} ask * 1 never\n")
    access = Access(AccessSettings(tokens=path))
    listener = access.settings.listener("http", f"unix:{tmp_path}/s?tokens")
    shown = {"Authorization": f"Bearer {token}"}
    async with (
        rig(sim_bundle, access=access) as made,
        http_door(made, listener) as door,
        open_lines(door.address, shown) as stream,
    ):
        lines = stream.lines()
        await stream.send(task_to_json(make_tasks(1)[0]))
        assert 1 == (await anext(lines))["line"]
        await access.look()
        await stream.send(task_to_json(make_tasks(2)[1]))
        assert 2 == (await anext(lines))["line"]
        path.write_text("# nobody\n")
        await access.look()
        with pytest.raises(ConnectionError):
            await anext(lines)


async def test_fault_of_ours(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that nobody foresaw cuts the stream, so that nobody takes what has come for all there is."""

    def broken(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr("spanserve.doors.http.stream.parse", broken)
    async with rig(sim_bundle) as made, http_door(made) as door, open_lines(door.address) as stream:
        await stream.send(task_to_json(make_tasks(1)[0]))
        with pytest.raises(ConnectionError):
            await anext(stream.lines())
        monkeypatch.undo()
        assert 200 == (await request(door.address, "GET", "/livez"))[0]


async def test_gone_while_a_line_waits(sim_bundle: Bundle) -> None:
    """A client that goes while its next line waits for room takes back what it has with the worker at once."""
    async with rig(sim_bundle) as made, http_door(made) as door:
        slots = made.block()
        async with open_lines(door.address) as stream:
            for task in make_tasks(3 * made.engine.capacity_windows):
                await stream.send(task_to_json(task))
            await eventually(lambda: len(made.engine._requests) >= made.engine.capacity_windows // 4)
            stream.abort()
            await eventually(lambda: all(request.cancelled for request in made.engine._requests))
        for slot in slots:
            slot.release()
        await made.run(make_tasks(1, "next")[0])
        await eventually(made.engine.idle.is_set)
        assert 1 == made.metrics.windows._value.get()
