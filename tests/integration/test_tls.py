"""TLS: who may speak to a worker, and whom a client believes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.client import AsyncClient, NoWorker, Tls
from tests.kit.identity import Identity, make_identity
from tests.kit.processes import WorkerProcess
from tests.kit.wire import CONTEXT

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
