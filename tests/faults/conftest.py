"""Fixtures of the fault rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from spanserve.bundle import Bundle
from tests.faults.queue_fleet import LEASE_S, QueueFleet
from tests.kit.processes import WorkerProcess
from tests.kit.queue_rig import queue_rig
from tests.kit.redis_server import Persistence, RedisServer


@pytest.fixture
async def make_fleet(
    start_worker: Callable[..., WorkerProcess],
    start_redis: Callable[..., RedisServer],
    sim_bundle: Bundle,
    tmp_path: Path,
) -> AsyncIterator[Callable[..., Any]]:
    """Makes a queue on a Redis of its own, for workers that the test starts.

    Its arguments are those of `QueueFleet`; `persistence` and `host` of the Redis, and `config` of the queue.
    """
    async with AsyncExitStack() as stack:

        async def make(
            *,
            persistence: Persistence = Persistence.NONE,
            host: str = "127.0.0.1",
            config: dict[str, int] | None = None,
            lease_s: float = LEASE_S,
            **arguments: Any,
        ) -> QueueFleet:
            server = start_redis(persistence=persistence, host=host)
            rig = await stack.enter_async_context(queue_rig(server))
            await rig.provision(**{"lease_ms": round(lease_s * 1000), **(config or {})})
            return QueueFleet(start_worker, rig, sim_bundle, tmp_path, lease_s=lease_s, **arguments)

        yield make
