"""Real Sentinels and real clusters for tests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.kit.identity import Identity
from tests.kit.redis_server import Persistence, RedisServer
from tests.kit.waiting import eventually

#: What the Sentinels of tests call the primary.
SERVICE = "main"
#: Milliseconds of silence after which a server counts as down.
DOWN_MS = 500
SLOTS = 16384
PRIMARIES = 3

StartRedis = Callable[..., RedisServer]


class Sentinel(RedisServer):
    """A Sentinel that watches one primary."""

    ready = b"Sentinel ID is"
    mode = ("--sentinel",)

    def __init__(self, folder: Path, primary: RedisServer, quorum: int) -> None:
        super().__init__(folder, primary.executable, tls=primary.tls)
        self._config = self._tls_directives() | {
            "bind": self.host,
            "protected-mode": "no",
            "dir": str(folder),
            "sentinel": f"monitor {SERVICE} {primary.host} {primary.port} {quorum}\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_MS}\n"
            f"sentinel failover-timeout {SERVICE} 3000",
        }


def says(server: RedisServer, *words: str) -> Any:
    """What a server replies; None while it does not."""
    try:
        return server.client().execute_command(*words)
    except RedisError:
        return None


def role(server: RedisServer) -> str:
    """`master` or `slave`; empty while it does not say."""
    found = says(server, "ROLE")
    return found[0].decode() if found else ""


@contextlib.contextmanager
def sentinels(primary: RedisServer, folder: Path, count: int = 3) -> Iterator[list[Sentinel]]:
    """Sentinels of a primary."""
    with contextlib.ExitStack() as stack:
        quorum = count // 2 + 1
        yield [stack.enter_context(Sentinel(folder / f"sentinel{n}", primary, quorum)) for n in range(count)]


async def watched(watching: list[Sentinel]) -> None:
    """Wait until the Sentinels know each other, and a replica that could take over."""

    def know() -> bool:
        for sentinel in watching:
            quorum = says(sentinel, "SENTINEL", "CKQUORUM", SERVICE)
            replicas = says(sentinel, "SENTINEL", "REPLICAS", SERVICE) or []
            states = [
                one if isinstance(one, dict) else dict(zip(one[::2], one[1::2], strict=True))
                for one in replicas
            ]
            linked = [
                state
                for state in states
                if state.get("master-link-status", state.get(b"master-link-status")) in ("ok", b"ok")
            ]
            if not quorum or len(linked) != 1:
                return False
        return True

    await eventually(know)


async def make_cluster(
    start: StartRedis, replicas: int = 0, tls: Identity | None = None
) -> list[RedisServer]:
    """A cluster; its primaries come first, and their first replicas in the same order."""
    config = {"cluster-enabled": "yes", "cluster-node-timeout": "1000"}
    nodes = [
        start(config=config, persistence=Persistence.ALWAYS, tls=tls)
        for _ in range(PRIMARIES * (1 + replicas))
    ]
    bounds = [SLOTS * n // PRIMARIES for n in range(PRIMARIES + 1)]
    for node, first, last in zip(nodes, bounds[:-1], bounds[1:], strict=False):
        node.client().execute_command("CLUSTER", "ADDSLOTS", *range(first, last))
    for node in nodes[1:]:
        node.client().execute_command("CLUSTER", "MEET", nodes[0].host, nodes[0].port)
    everyone = len(nodes)
    await eventually(
        lambda: all(
            (says(node, "CLUSTER", "NODES") or b"").count(b" connected") == everyone for node in nodes
        )
    )
    for place, node in enumerate(nodes[PRIMARIES:]):
        mine = nodes[place % PRIMARIES].client().execute_command("CLUSTER", "MYID").decode()
        await eventually(lambda node=node, mine=mine: says(node, "CLUSTER", "REPLICATE", mine) is not None)  # type: ignore[misc]
    await eventually(lambda: all(is_whole(node) for node in nodes))
    return nodes


def is_whole(node: RedisServer) -> bool:
    """Whether a node of a cluster finds all slots served."""
    return b"cluster_state:ok" in (says(node, "CLUSTER", "INFO") or b"")


def owner(nodes: list[RedisServer], key: str) -> RedisServer:
    """The primary that has a key; the nodes are primaries with equal parts of the slots."""
    return nodes[key_slot(key.encode()) * len(nodes) // SLOTS]


def move_slot(nodes: list[RedisServer], key: str, to: RedisServer) -> None:
    """Give another primary the slot of a key and all that is in it, as resharding does, under whatever load there is.

    Args:
        nodes: all primaries.
    """
    slot, source = key_slot(key.encode()), owner(nodes, key)

    def cluster(node: RedisServer, *words: str | int) -> Any:
        return node.client().execute_command("CLUSTER", *words)

    mine, theirs = (cluster(node, "MYID").decode() for node in (source, to))
    cluster(to, "SETSLOT", slot, "IMPORTING", mine)
    cluster(source, "SETSLOT", slot, "MIGRATING", theirs)
    while keys := cluster(source, "GETKEYSINSLOT", slot, 20):
        source.client().execute_command("MIGRATE", to.host, to.port, "", 0, 5000, "KEYS", *keys)
    for node in (to, source, *nodes):
        cluster(node, "SETSLOT", slot, "NODE", theirs)
