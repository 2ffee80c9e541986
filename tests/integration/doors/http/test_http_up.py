"""`spanserve up --http`: every worker of a host has an HTTP door of its own."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.kit.fleets import UpProcess
from tests.kit.http import get, request
from tests.kit.ports import free_ports

#: No other listener of the fleet is there.
HOST = "127.0.0.2"


async def test_every_worker(start_up: Callable[..., UpProcess]) -> None:
    """Each answers on its own port, also where the variable that a single worker reads names them all."""
    first = free_ports(2, HOST)
    up = start_up(workers=2, env={"SPANSERVE_HTTP": f"{HOST}:{first}-{first + 1}"})
    up.wait_serving(2)
    names = set()
    for port in (first, first + 1):
        task = {"context": "Anna Holm said so.", "questions": ["Who said so?"]}
        status, _, body = await request(f"{HOST}:{port}", "POST", "/v1/answer", task)
        assert 200 == status
        names.add(json.loads(body)["worker"])
        assert "ready" == json.loads((await get(f"{HOST}:{port}", "/v1/status"))[1])["state"]
    assert 2 == len(names)
