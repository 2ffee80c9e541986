"""The hosts of the tests: namespaces that reach this one by a cable that can be cut."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.kit.netns import Host, Network
from tests.kit.redis_server import RedisServer

PING = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.5) as there:
    there.sendall(b"PING\\r\\n")
    print(there.recv(16).decode().strip())
"""


def test_two_hosts(start_redis: Callable[..., RedisServer]) -> None:
    """Two hosts reach one Redis by cables of their own; the one that is cut off does not, until it is healed."""
    with Network(2) as network:
        server = start_redis(host="0.0.0.0")

        def ping(host: Host) -> str:
            return host.run(sys.executable, "-c", PING, host.gateway, str(server.port)).strip()

        one, other = network.hosts
        assert "+PONG" == ping(one) == ping(other)
        one.cut()
        with pytest.raises(subprocess.CalledProcessError):
            ping(one)
        assert "+PONG" == ping(other)
        one.heal()
        assert "+PONG" == ping(one)
