"""Bytes that take long to parse: whoever sends them has a part of the loop's time, and others have the rest."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from unittest.mock import Mock

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from uvicorn.config import Config
from uvicorn.server import ServerState

from spanserve.doors.access import Access
from spanserve.doors.http.body import lines
from spanserve.doors.http.connection import MAX_HEAD_LINES, MOST_BYTES, Connection, Patience
from spanserve.doors.http.operation import Call, Operation
from spanserve.doors.http.server import Server
from spanserve.doors.http.turns import COSTLY_PARTS, COSTLY_S, REST, Turns
from spanserve.doors.listener import Listener
from tests.kit.http import connected
from tests.kit.waiting import eventually

HEAD = (
    b"POST /v1/answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
#: A body of so many bytes, each in a chunk of its own.
SIZE = 20_000
CHUNKS = b"1\r\na\r\n" * SIZE + b"0\r\n\r\n"


class Later:
    """A loop's `call_later` that waits until it is told to go on."""

    def __init__(self) -> None:
        self.calls: deque[tuple[float, Callable[[], None]]] = deque()

    def __call__(self, seconds: float, call: Callable[[], None]) -> None:
        self.calls.append((seconds, call))

    def next(self) -> float:
        """Make the next call; returns the seconds it waited for."""
        seconds, call = self.calls.popleft()
        call()
        return seconds


class Pieces:
    """One that goes on for so long each time, so many times."""

    def __init__(self, turns: Turns, name: str, done: list[str], costs: list[float]) -> None:
        self._turns, self._name, self._done, self._costs = turns, name, done, costs

    def go_on(self) -> float:
        self._done.append(self._name)
        spent_s = self._costs.pop(0)
        if self._costs:
            self._turns.enter(self._name[0], self, spent_s)
        return spent_s


def test_turns() -> None:
    """Each caller has one piece done in turn, and after each the loop is for others, for a multiple of what it took."""
    later, done = Later(), list[str]()
    turns = Turns(later)
    for name, costs in {"a1": [1.0, 2.0], "a2": [3.0], "b1": [4.0]}.items():
        turns.enter(name[0], Pieces(turns, name, done, costs), 0.5)
    gone = Pieces(turns, "c", done, [9.0])
    turns.enter("c", gone)
    turns.leave("c", gone)
    rests = [later.next() for _ in range(5)]
    assert ["a1", "b1", "a2", "a1"] == done
    assert [REST * cost for cost in (0.5, 1.0, 4.0, 3.0, 2.0)] == rests
    assert (0, 0) == (len(turns), len(later.calls))


def test_a_piece_that_fails() -> None:
    """It holds up nobody."""
    later, done = Later(), list[str]()
    turns = Turns(later)
    turns.enter("a", Pieces(turns, "a", done, []))
    turns.enter("b", Pieces(turns, "b", done, [0.0]))
    with pytest.raises(IndexError):
        later.next()
    later.next()
    assert ["a", "b"] == done


def test_hurry() -> None:
    """Once nothing new comes there is no rest."""
    later, done = Later(), list[str]()
    turns = Turns(later)
    turns.enter("a", Pieces(turns, "a", done, [1.0]))
    turns.enter("a", Pieces(turns, "b", done, [1.0]))
    turns.hurry()
    assert [0.0] * 3 == [later.next() for _ in range(3)]


async def test_work_in_turn() -> None:
    """Work is done in its turn; what it raises its caller gets, and without its caller it is not done, nor kept."""
    later, done = Later(), list[str]()
    turns = Turns(later)

    async def after(count: int, work: Callable[[], str]) -> asyncio.Task[str]:
        asked = asyncio.create_task(turns.do("a", work))
        await eventually(lambda: count == len(turns))
        return asked

    def never() -> str:
        done.append("gone")
        return "gone"

    def fail() -> str:
        raise ValueError("no JSON")

    first = await after(1, lambda: "first")
    gone = await after(2, never)
    last = await after(3, fail)
    gone.cancel()
    await eventually(lambda: 2 == len(turns))
    assert not first.done()
    while later.calls:
        later.next()
    assert "first" == await first
    with pytest.raises(ValueError, match="no JSON"):
        await last
    assert [] == done


async def counted(call: Call) -> Response:
    """How many bytes came."""
    return PlainTextResponse(json.dumps([len(line) async for line in lines(call.request)]))


def connection_of(later: Later, step_s: float) -> tuple[Connection, Mock, list[int]]:
    """A connection that believes every look at the clock to be so much later; its transport; bytes that it parsed."""
    parsed: list[int] = []
    clock = count()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            parsed.append(len(message["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    found = Connection(
        Config(app, http=Connection, ws="none", lifespan="off", log_config=None),
        ServerState(),
        Patience(),
        Turns(later),
        None,
        lambda _: None,
        processor_s=lambda: next(clock) * step_s,
    )
    transport = Mock(spec=asyncio.Transport)
    transport.is_closing.return_value = False
    transport.get_extra_info.return_value = None
    found.connection_made(transport)
    return found, transport, parsed


async def test_dear_bytes_wait() -> None:
    """What is dear to parse is parsed piece by piece, with a rest after each, and nothing more is read meanwhile."""
    later = Later()
    found, transport, _ = connection_of(later, 2 * COSTLY_S)
    found.data_received(HEAD + CHUNKS)
    turns = 0
    while not transport.resume_reading.called:
        assert transport.pause_reading.called
        assert REST * COSTLY_S < later.next()
        turns += 1
    assert len(HEAD + CHUNKS) / MOST_BYTES < turns
    transport.resume_reading.assert_called_once_with()
    found.connection_lost(None)


async def test_json_of_many_parts() -> None:
    """It is read in turn, and not at all once its client has gone; what has few parts is read at once."""
    later = Later()
    found, _, _ = connection_of(later, 0.0)
    assert "read" == await found.in_turn("a", COSTLY_PARTS - 1, lambda: "read")
    assert 0 == len(later.calls)
    reading = asyncio.create_task(found.in_turn("a", COSTLY_PARTS, lambda: "read"))
    await eventually(lambda: 1 == len(later.calls))
    later.next()
    assert "read" == await reading
    reading = asyncio.create_task(found.in_turn("a", COSTLY_PARTS, lambda: "read"))
    await eventually(lambda: 1 == len(found._turns))
    found.connection_lost(None)
    with pytest.raises(ClientDisconnect):
        await reading


async def test_a_request_that_was_held() -> None:
    """One that came with another, and whose turn comes when that is answered, is not cut as if nothing had come."""
    later = Later()
    found, _, _ = connection_of(later, 2 * COSTLY_S)
    request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n"
    found.data_received(request + b"a" + request)
    first = found.cycle

    def second_has_begun() -> bool:
        if later.calls:
            later.next()
        return found.cycle is not first

    await eventually(second_has_begun)
    assert found.busy
    assert found._cut_later is None
    found.connection_lost(None)


async def test_cheap_bytes_do_not_wait() -> None:
    """A body that costs little is parsed as it comes."""
    later = Later()
    found, _, _ = connection_of(later, 0.0)
    found.data_received(HEAD + CHUNKS)
    assert 0 == len(later.calls)
    found.connection_lost(None)


async def test_who_leaves_in_line() -> None:
    """One that ends while it waits is not waited for."""
    later = Later()
    found, _, _ = connection_of(later, 2 * COSTLY_S)
    found.data_received(HEAD + CHUNKS)
    found.connection_lost(None)
    later.next()
    assert 0 == len(later.calls)


async def echoed(call: Call) -> Response:
    """A line, and those that come."""

    async def told() -> AsyncIterator[bytes]:
        yield b"begun\n"
        async for line in lines(call.request):
            yield line

    return StreamingResponse(told())


@asynccontextmanager
async def served(handle: Callable[[Call], Awaitable[Response]] = counted) -> AsyncIterator[Server]:
    operations = [
        Operation(path="/v1/answer", method="POST", handle=handle),
        Operation(path="/metrics", handle=counted),
    ]
    server = Server(Listener(address="127.0.0.1:0"), Access(), operations)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def test_a_body_in_chunks_of_a_byte() -> None:
    """It arrives whole, however many turns that takes."""
    async with served() as server, connected(server.address) as (reader, writer):
        writer.write(HEAD + CHUNKS)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert [SIZE] == json.loads(await reader.readexactly(len(json.dumps([SIZE]))))


@pytest.mark.parametrize(("lines_", "status"), [(MAX_HEAD_LINES, b"200"), (MAX_HEAD_LINES + 1, b"400")])
@pytest.mark.parametrize("requests", [1, 3])
async def test_lines_of_a_head(lines_: int, status: bytes, requests: int) -> None:
    """A head has a limit in lines too, also where requests come at once; the refusal names it."""
    first = [b"GET /metrics HTTP/1.1", b"Host: localhost"]
    head = b"\r\n".join([*first, *(b"a:" for _ in range(lines_ - len(first))), b"", b""])
    async with served() as server, connected(server.address) as (reader, writer):
        writer.write(head * requests)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 " + status)
        assert (f"more than {MAX_HEAD_LINES} lines".encode() in said) is (status == b"400")


async def test_no_request_in_the_middle_of_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    """If what comes turns out to be no body when the answer has begun, the connection is cut, without a traceback."""
    async with served(echoed) as server, connected(server.address) as (reader, writer):
        writer.write(HEAD + b"1\r\na\r\n")
        await reader.readuntil(b"begun\n")
        writer.write(b"zz\r\n")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readuntil(b"\r\n0\r\n\r\n")
    assert [] == [record for record in caplog.records if record.exc_info]
