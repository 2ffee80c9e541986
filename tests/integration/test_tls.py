"""TLS: who may speak to a worker, and whom a client believes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from spanserve.client import AsyncClient, NoWorker, Tls
from tests.faults.wire import CONTEXT
from tests.processes import WorkerProcess

StartWorker = Callable[..., WorkerProcess]


@dataclass(frozen=True, slots=True)
class Identity:
    """A self-signed certificate, which is its own authority."""

    cert: Path
    key: Path


@pytest.fixture
def identity(tmp_path: Path) -> Callable[[str], Identity]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command, which makes the certificates, is not installed")

    def make(name: str) -> Identity:
        made = Identity(tmp_path / f"{name}.crt", tmp_path / f"{name}.key")
        command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-keyout", str(made.key), "-out", str(made.cert), "-days", "2", "-subj", f"/CN={name}"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
        subprocess.run(command, check=True, capture_output=True)
        return made

    return make


async def test_tls(start_worker: StartWorker, identity: Callable[[str], Identity]) -> None:
    """Over TLS questions are answered; without it, or with another authority, nobody is."""
    mine, other = identity("worker"), identity("other")
    worker = start_worker("--tls-cert", str(mine.cert), "--tls-key", str(mine.key)).wait_ready()
    async with AsyncClient(worker.address, tls=Tls(ca=mine.cert)) as client:
        (result,) = await client.ask(CONTEXT, ["Who said?"])
        assert result.answer is not None
    for tls in (Tls(), Tls(ca=other.cert)):
        async with AsyncClient(worker.address, tls=tls, wait_s=0.1) as client:
            with pytest.raises(NoWorker, match="UNAVAILABLE"):
                await client.ask(CONTEXT, ["Who said?"])


async def test_mutual_tls(start_worker: StartWorker, identity: Callable[[str], Identity]) -> None:
    """A worker that asks for client certificates answers those of its authority only."""
    mine, friend, stranger = identity("worker"), identity("friend"), identity("stranger")
    arguments = ("--tls-cert", mine.cert, "--tls-key", mine.key, "--tls-client-ca", friend.cert)
    worker = start_worker(*map(str, arguments)).wait_ready()
    async with AsyncClient(worker.address, tls=Tls(mine.cert, friend.cert, friend.key)) as client:
        (result,) = await client.ask(CONTEXT, ["Who said?"])
        assert result.answer is not None
    for tls in (Tls(mine.cert), Tls(mine.cert, stranger.cert, stranger.key)):
        async with AsyncClient(worker.address, tls=tls, wait_s=0.1) as client:
            with pytest.raises(NoWorker, match="UNAVAILABLE"):
                await client.ask(CONTEXT, ["Who said?"])
