"""Ports that nobody listens on."""

from __future__ import annotations

import contextlib
import os
import random
import socket

#: Outgoing connections take none of these, and none that many below.
FIRST, LAST = 20000, 30000
#: How far the port of a node of a Redis cluster is below that on which it speaks with other nodes.
BUS = 10000
#: Processes of pytest-xdist that get ports of their own: gw0, gw1, ...; another has those of one of them.
SHARES = 8


def free_ports(count: int, host: str = "127.0.0.1") -> int:
    """The first of so many ports in a row that nobody listens on, and that no test beside this one is given."""
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES
    size = (LAST - FIRST) // SHARES
    while True:
        first = FIRST + share * size + random.randrange(size - count)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind((host, port))
            return first


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on."""
    return free_ports(1, host)


def free_node_port(host: str = "127.0.0.1") -> int:
    """A port for a node of a Redis cluster: nobody listens on it, nor on that for other nodes."""
    while True:
        port = free_ports(1, host) - BUS
        with contextlib.suppress(OSError), socket.socket() as trying:
            trying.bind((host, port))
            return port
