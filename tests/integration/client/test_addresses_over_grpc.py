"""Names with real workers behind their records."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from spanserve.bundle import Bundle
from spanserve.client import Dispatcher
from spanserve.client.grpc.channel import PLAINTEXT
from spanserve.client.grpc.transport import GrpcTransport
from tests.kit.serving import serving
from tests.kit.waiting import eventually
from tests.kit.wire import make_tasks


async def test_no_proxy_holds_for_names(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is to be reached without the proxy is, though its worker is called by its number."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there
    monkeypatch.setenv("no_proxy", "fleet")

    async def look_up(host: str) -> Sequence[str]:
        return ["127.0.0.2"]

    async with serving(sim_bundle, listen="127.0.0.2:0") as served:
        port = served.address.rpartition(":")[2]
        dispatcher = Dispatcher([f"fleet:{port}"], lookup=look_up, wait_s=10.0)
        found = [result.id async for results in dispatcher.run(make_tasks(3)) for result in results]
    assert ["t0", "t1", "t2"] == sorted(found)


async def test_calls_over_a_name(sim_bundle: Bundle) -> None:
    """Single questions go to the records of a name, too, and each is described."""

    async def look_up(host: str) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.3"]

    async with serving(sim_bundle, listen="127.0.0.2:0") as one:
        port = one.address.rpartition(":")[2]
        async with serving(sim_bundle, listen=f"127.0.0.3:{port}") as other:
            transport = GrpcTransport([f"fleet:{port}"], PLAINTEXT, 10.0, lookup=look_up)

            async def both_described() -> bool:
                return {one.address, other.address} == set(await transport.describe())

            try:
                assert set(await transport.wait_ready()) <= {one.address, other.address}
                await eventually(both_described)
                (task,) = make_tasks(1)
                assert task.id == (await transport.answer(task)).id
            finally:
                await transport.close()
