"""Bodies of HTTP requests: each has a response that says what is wrong, and none is 500.

The first byte of an input chooses path and media type, the second and third are the length of the JSON in bodies that
go on in binary; the rest is the body.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11

from spanserve.doors.http.connection import Connection
from spanserve.doors.http.door import HttpDoor
from spanserve.doors.http.settings import HttpSettings
from spanserve.doors.http.turns import Turns
from spanserve.doors.listener import Listener
from tests.fuzz.target import Try, on_a_rig

#: Path, media type, and whether the length of the JSON is told.
KINDS = (
    ("/v1/answer", "application/json", False),
    ("/v1/answer", "application/x-ndjson", False),
    ("/v2/models/qa/infer", "application/json", False),
    ("/v2/models/logits/infer", "application/json", False),
    ("/v2/models/qa/infer", "application/octet-stream", True),
    ("/v2/models/logits/infer", "application/octet-stream", True),
)


class Wire(asyncio.Transport):
    """Keeps what is written to the client."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = bytearray()
        self.closed = asyncio.Event()

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed.set()

    abort = close

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def pause_reading(self) -> None:
        """Nothing to do: all is there."""

    def resume_reading(self) -> None:
        """The same."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It takes everything."""


def body(path: str, kind: str, content: bytes, json_length: int | None = None) -> bytes:
    """The input that is this request."""
    choice = KINDS.index((path, kind, json_length is not None))
    return bytes([choice]) + (json_length or 0).to_bytes(2) + content


def request_of(data: bytes) -> bytes:
    """What goes over the wire."""
    path, kind, told = KINDS[data[0] % len(KINDS)]
    content = data[3:]
    headers = [("Host", "localhost"), ("Content-Type", kind), ("Content-Length", str(len(content)))]
    if told:
        headers.append(("Inference-Header-Content-Length", str(int.from_bytes(data[1:3]))))
    client = h11.Connection(h11.CLIENT)
    headers.append(("Connection", "close"))
    sent = (
        h11.Request(method="POST", target=path, headers=headers),
        h11.Data(data=content),
        h11.EndOfMessage(),
    )
    return b"".join(client.send(event) or b"" for event in sent)


def check(written: bytes) -> None:
    """A whole response, with JSON where it says so."""
    client = h11.Connection(h11.CLIENT)
    client.send(
        h11.Request(method="POST", target="/", headers=[("Host", "localhost"), ("Content-Length", "0")])
    )
    client.send(h11.EndOfMessage())
    client.receive_data(written)
    head, content = client.next_event(), bytearray()
    assert isinstance(head, h11.Response), head
    while isinstance(event := client.next_event(), h11.Data):
        content += event.data
    assert isinstance(event, h11.EndOfMessage), "the response is cut short"
    assert head.status_code < 500 or head.status_code in (503, 504), (
        f"{head.status_code}: {bytes(content[:500])!r}"
    )
    kind = dict(head.headers)[b"content-type"]
    if kind.startswith(b"application/json"):
        json.loads(content)
    elif kind.startswith(b"application/x-ndjson"):
        for line in content.splitlines():
            json.loads(line)


@contextmanager
def target() -> Iterator[Try]:
    """A connection for each input."""
    with on_a_rig() as (rig, run):

        async def made() -> HttpDoor:
            settings = HttpSettings(listen=(Listener(address="127.0.0.1:0"),), drain_delay_s=0)
            return HttpDoor(rig.inside, settings)

        (server,) = run(made())._servers

        async def serve(data: bytes) -> None:
            wire = Wire()
            server._turns = Turns(asyncio.get_running_loop().call_later)  # as if it had been started
            connection: Connection = server._accept()
            connection.connection_made(wire)
            try:
                connection.data_received(request_of(data))
                await wire.closed.wait()
            finally:
                connection.connection_lost(None)
                await asyncio.gather(*server._state.tasks)
            check(bytes(wire.written))

        def attempt(data: bytes) -> None:
            if len(data) >= 3:
                run(serve(data))

        yield attempt
