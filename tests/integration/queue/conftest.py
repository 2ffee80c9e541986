"""A queue on every Redis that is found, empty for every test; what a test leaves must be documented."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.kit.queue_rig import QueueRig, queue_rig, undocumented_keys
from tests.kit.redis_server import Executable, RedisServer


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Executable], RedisServer]]:
    """One server of each series for all tests here."""
    started: dict[Executable, RedisServer] = {}

    def find(executable: Executable) -> RedisServer:
        if executable not in started:
            server = RedisServer(tmp_path_factory.mktemp("redis"), executable)
            started[executable] = server.start()
        return started[executable]

    yield find
    for server in started.values():
        server.close()


@pytest.fixture
async def bare(
    shared_redis: Callable[[Executable], RedisServer], redis_executable: Executable
) -> AsyncIterator[QueueRig]:
    """A queue that nobody has provisioned yet. Fails a test that leaves keys which layout.md does not allow."""
    async with queue_rig(shared_redis(redis_executable)) as rig:
        rig.plain.config_set("min-replicas-to-write", 0)
        rig.plain.flushall()
        rig.plain.config_set("maxmemory", 0)
        rig.plain.config_set("maxmemory-policy", "noeviction")
        yield rig
        rig.plain.config_set("maxmemory", 0)
        assert [] == undocumented_keys(rig.plain, rig.keys)


@pytest.fixture
async def rig(bare: QueueRig) -> QueueRig:
    """A queue with a long lease and wide limits."""
    await bare.provision()
    return bare
