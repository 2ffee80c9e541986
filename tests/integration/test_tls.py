"""TLS: who may speak to a worker, and whom a client believes."""

from __future__ import annotations

import functools
import re
import shutil
import socket
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.client import AsyncClient, NoWorker, Tls
from tests.kit.identity import Identity, make_identity, make_signed
from tests.kit.processes import WorkerProcess
from tests.kit.waiting import eventually
from tests.kit.wire import CONTEXT, make_tasks

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def identity(tmp_path: Path) -> Callable[[str], Identity]:
    return functools.partial(make_identity, tmp_path)


async def test_tls(start_worker: StartWorker, identity: Callable[[str], Identity]) -> None:
    """Over TLS questions are answered; without it, or with another authority, nobody is."""
    mine, other = identity("worker"), identity("other")
    worker = start_worker("--tls-cert", str(mine.cert), "--tls-key", str(mine.key)).wait_ready()
    async with AsyncClient(worker.address, tls=Tls(ca=mine.cert)) as client:
        (result,) = await client.ask(CONTEXT, ["Who said?"])
        assert result.answer is not None
    for tls in (Tls(), Tls(ca=other.cert)):
        async with AsyncClient(worker.address, tls=tls, wait_s=0.1) as client:
            with pytest.raises(
                NoWorker, match=re.escape("(--tls-ca)") + "|not signed by an authority in --tls-ca"
            ):
                await client.ask(CONTEXT, ["Who said?"])


async def test_mutual_tls(
    start_worker: StartWorker, identity: Callable[[str], Identity], tmp_path: Path
) -> None:
    """A worker that asks for client certificates answers those of its authority only, and until they expire."""
    mine, friend, stranger = identity("worker"), identity("friend"), identity("stranger")
    arguments = ("--tls-cert", mine.cert, "--tls-key", mine.key, "--tls-client-ca", friend.cert)
    worker = start_worker(*map(str, arguments)).wait_ready()
    async with AsyncClient(worker.address, tls=Tls(mine.cert, friend.cert, friend.key)) as client:
        (result,) = await client.ask(CONTEXT, ["Who said?"])
        assert result.answer is not None
    valid, expired = (
        make_signed(tmp_path, name, friend, "DNS:friend", days=days)
        for name, days in (("valid", 2), ("expired", -1))
    )
    async with AsyncClient(worker.address, tls=Tls(mine.cert, valid.cert, valid.key)) as client:
        assert await client.ask(CONTEXT, ["Who said?"])
    for shown in (None, stranger, expired):
        tls = Tls(mine.cert, shown.cert, shown.key) if shown else Tls(mine.cert)
        async with AsyncClient(worker.address, tls=tls, wait_s=0.1) as client:
            with pytest.raises(NoWorker, match=re.escape("(--tls-cert)")):
                await client.ask(CONTEXT, ["Who said?"])


@pytest.mark.parametrize(
    ("cert", "key", "problem"),
    [
        ("worker.crt", "other.key", "the private key belongs to another certificate"),
        ("garbage", "worker.key", "holds no certificate in PEM"),
        ("worker.crt", "garbage", "the private key is not one in PEM"),
        ("worker.crt", "missing", "cannot read"),
    ],
)
def test_named_at_the_start(
    start_worker: StartWorker,
    identity: Callable[[str], Identity],
    tmp_path: Path,
    cert: str,
    key: str,
    problem: str,
) -> None:
    """Files that cannot be used end the worker with a sentence that names them, before it listens."""
    identity("worker"), identity("other")
    (tmp_path / "garbage").write_text("no pem")
    worker = start_worker("--tls-cert", str(tmp_path / cert), "--tls-key", str(tmp_path / key))
    assert 2 == worker.wait()
    (said,) = [line for line in worker.lines if line.startswith("spanserve: ")]
    assert problem in said
    assert str(tmp_path / key) in said
    assert [] == worker.records("listening")


def test_versions(start_worker: StartWorker, identity: Callable[[str], Identity]) -> None:
    """TLS 1.2 and 1.3 are spoken, with ciphers that keep what was said even if the key is lost; nothing older."""
    mine = identity("worker")
    worker = start_worker("--tls-cert", str(mine.cert), "--tls-key", str(mine.key)).wait_ready()
    host, _, port = worker.address.rpartition(":")

    def shake(version: ssl.TLSVersion, ciphers: str) -> str | None:
        context = ssl.create_default_context(cafile=str(mine.cert))
        context.set_alpn_protocols(["h2"])
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version = context.maximum_version = version
        try:
            with (
                socket.create_connection((host, int(port))) as wire,
                context.wrap_socket(wire, server_hostname="localhost") as wrapped,
            ):
                return wrapped.version()
        except OSError:
            return None

    assert "TLSv1.3" == shake(ssl.TLSVersion.TLSv1_3, "ALL")
    assert "TLSv1.2" == shake(ssl.TLSVersion.TLSv1_2, "ALL")
    assert None is shake(ssl.TLSVersion.TLSv1_1, "ALL")
    for weak in ("AES128-SHA", "AES256-GCM-SHA384", "NULL-SHA256"):
        assert None is shake(ssl.TLSVersion.TLSv1_2, weak)


async def test_exchanged_under_load(
    start_worker: StartWorker, identity: Callable[[str], Identity], tmp_path: Path
) -> None:
    """Certificate and client CA are exchanged in a running worker: new connections see them, and no task is lost."""
    server, old, new = identity("worker"), identity("old"), identity("new")
    live = {name: tmp_path / f"live.{name}" for name in ("crt", "key", "ca")}
    shutil.copy(server.cert, live["crt"]), shutil.copy(server.key, live["key"])
    shutil.copy(old.cert, live["ca"])
    files = ("--tls-cert", live["crt"], "--tls-key", live["key"], "--tls-client-ca", live["ca"])
    worker = start_worker(*map(str, files), device="sim:fixed?latency_ms=20").wait_ready()
    alice, bob = (
        make_signed(tmp_path, "alice", old, "DNS:alice"),
        make_signed(tmp_path, "bob", new, "DNS:bob"),
    )
    second = make_signed(tmp_path, "second", server, "DNS:localhost", "IP:127.0.0.1")
    results, changed = 0, False
    async with AsyncClient(worker.address, tls=Tls(server.cert, alice.cert, alice.key)) as client:
        async for result in client.answer_all(make_tasks(600)):
            results += result.questions[0].answer is not None
            if not changed:
                changed = True
                live["ca"].write_text(old.cert.read_text() + new.cert.read_text())
                shutil.copy(second.cert, live["crt"]), shutil.copy(second.key, live["key"])
                await eventually(lambda: bool(worker.records("credentials read again")))
    assert 600 == results
    async with AsyncClient(worker.address, tls=Tls(server.cert, bob.cert, bob.key)) as client:
        (answered,) = await client.ask(CONTEXT, ["Who said?"])
        assert answered.answer is not None
