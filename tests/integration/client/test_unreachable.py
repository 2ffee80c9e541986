"""Why a worker cannot be reached, said with real sockets on the other side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from spanserve.bundle import Bundle
from spanserve.client.errors import NoWorker
from spanserve.client.grpc import transport as transport_module
from spanserve.client.grpc.channel import PLAINTEXT, Tls
from spanserve.client.grpc.transport import GrpcTransport
from spanserve.doors.access import Access
from spanserve.doors.listener import AccessSettings
from tests.kit.identity import Identity, make_identity, make_signed
from tests.kit.serving import serving


async def problem(address: str, tls: Tls = PLAINTEXT) -> str:
    """What is said of a worker that is waited for in vain."""
    transport = GrpcTransport([address], tls, 0.0)
    try:
        with pytest.raises(NoWorker) as caught:
            await transport.wait_ready()
    finally:
        await transport.close()
    return str(caught.value).partition(f"({address}: ")[2].removesuffix(")")


@asynccontextmanager
async def _nobody() -> AsyncIterator[str]:
    """An address that was free a moment ago."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    yield f"127.0.0.1:{port}"


@asynccontextmanager
async def _http() -> AsyncIterator[str]:
    """A server of something else."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await reader.read()
        finally:  # also where the test has ended before the caller has hung up
            writer.close()

    server = await asyncio.start_server(reply, "127.0.0.1")
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def _worker(bundle: Bundle, shown: Identity | None = None) -> AsyncIterator[str]:
    """A worker, with TLS where it shows a certificate."""
    if shown is None:
        async with serving(bundle) as served:
            yield served.address
        return
    settings = AccessSettings(tls_cert=shown.cert, tls_key=shown.key)
    listener = settings.listener("listen", "127.0.0.1:0?tls")
    async with serving(bundle, listeners=[listener], access=Access(settings)) as served:
        yield served.address


async def test_causes(sim_bundle: Bundle, tmp_path: Path) -> None:
    """Each kind of failure has its own words, and says what helps where something does."""
    known, unknown = make_identity(tmp_path, "known"), make_identity(tmp_path, "unknown")
    elsewhere = make_signed(tmp_path, "elsewhere", known, "DNS:worker.internal")
    ca = Tls(ca=known.cert)
    cases: list[tuple[AbstractAsyncContextManager[str], Tls, str]] = [
        (_nobody(), PLAINTEXT, "connection refused"),
        (_http(), PLAINTEXT, "HTTP server"),
        (_worker(sim_bundle, known), PLAINTEXT, "may require TLS (--tls-ca)"),
        (_worker(sim_bundle), ca, "does not use TLS: try without --tls-ca"),
        (_worker(sim_bundle, unknown), ca, "not signed by an authority in --tls-ca"),
        (_worker(sim_bundle, elsewhere), ca, "for another host name"),
    ]
    for somebody, tls, words in cases:
        async with somebody as address:
            assert words in await problem(address, tls)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("no-such-host.invalid:50051", "no host has this name"),
        ("unix:/nowhere/w.sock", "no such socket file"),
    ],
)
async def test_nowhere(address: str, words: str) -> None:
    """Nothing that one could connect to."""
    assert words == await problem(address)


async def test_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in between is named, without its password."""
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:9")
    said = await problem("192.0.2.1:50051")
    assert "reached through the proxy 127.0.0.1:9" in said
    assert "secret" not in said


async def test_told_while_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits hears what for, before the time is up."""
    monkeypatch.setattr(transport_module, "TELL_AFTER_S", 0.0)
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with _nobody() as address:
        transport = GrpcTransport([address], PLAINTEXT, 3600.0, tell=heard.put_nowait)
        waiting = asyncio.create_task(transport.wait_ready())
        try:
            said = await heard.get()
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await transport.close()
    assert said.startswith("no worker is ready, trying for 3600 s more")
    assert "connection refused" in said


async def test_not_longer_than_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends when its time is up, however long the pause between two looks would be; and with a look."""
    now, naps = [0.0], []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        now[0] += seconds

    async with _nobody() as address:
        transport = GrpcTransport([address], PLAINTEXT, 5.0)
        monkeypatch.setattr(transport, "_clock", lambda: now[0])
        monkeypatch.setattr(transport_module, "Backoff", lambda: SimpleNamespace(next_s=lambda: 2.0))
        monkeypatch.setattr(transport_module, "asyncio", SimpleNamespace(sleep=sleep))
        with pytest.raises(NoWorker, match=r"within 5 s .*connection refused"):
            await transport.wait_ready()
        await transport.close()
    assert [2.0, 2.0, 1.0] == naps
