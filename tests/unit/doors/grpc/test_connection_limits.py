"""Connections of a server: bounded for each identity; who asks for nothing makes room."""

from __future__ import annotations

import pytest

from spanserve.doors.grpc.connections import Connections


class Network:
    """Connections that are open, and a clock."""

    def __init__(self) -> None:
        self.peers: set[str] = set()
        self.now = 0.0
        self.ended: list[set[str]] = []

    def hang_up(self, gone: set[str]) -> None:
        self.ended.append(set(gone))
        self.peers -= gone


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def connections(network: Network) -> Connections:
    """Eight are taken, six of one identity."""
    return Connections(8, lambda: set(network.peers), network.hang_up, lambda: network.now)  # type: ignore[arg-type]


def test_of_one_identity(connections: Connections, network: Network) -> None:
    """Where all its connections have calls it gets no other; another identity does."""
    assert all(connections.begin(f"a{number}", "a") for number in range(6))
    assert connections.begin("a0", "a")
    assert not connections.begin("a6", "a")
    assert connections.begin("b", "b")


def test_the_one_without_a_call_for_longest_goes(connections: Connections, network: Network) -> None:
    """A new connection takes the place of the identity's that has asked for nothing for longest."""
    network.peers = {*(f"a{number}" for number in range(7)), "b"}
    connections.begin("b", "b")
    connections.end("b")
    for number in range(6):
        connections.begin(f"a{number}", "a")
    for number in (3, 1):
        network.now += 1
        connections.end(f"a{number}")
    assert connections.begin("a6", "a")
    connections.look()
    assert [{"a3"}] == network.ended


def test_it_may_come_back(connections: Connections, network: Network) -> None:
    """One that was to go and calls again before it has gone is a newcomer, and stays."""
    network.peers = {f"a{number}" for number in range(7)}
    for number in range(6):
        connections.begin(f"a{number}", "a")
    for number in (0, 1):
        network.now += 1
        connections.end(f"a{number}")
    connections.begin("a6", "a")
    connections.begin("a0", "a")
    connections.look()
    assert [{"a1"}] == network.ended


def test_those_that_have_gone(connections: Connections, network: Network) -> None:
    """A look forgets them."""
    for number in range(6):
        connections.begin(f"a{number}", "a")
    network.peers = {f"a{number}" for number in range(5)}
    connections.look()
    connections.end("a5")
    assert connections.begin("a6", "a")


def test_strangers(connections: Connections, network: Network) -> None:
    """Where it is crowded, as many as need be of those without a call for a look are ended, the oldest first."""
    network.peers = {"caller", "s0", "s1"}
    connections.begin("caller", "a")
    connections.end("caller")
    connections.look()
    connections.look()
    assert [] == network.ended
    network.peers |= {f"s{number}" for number in range(2, 7)}
    connections.look()
    assert [{"s0", "s1"}] == network.ended
    connections.look()
    assert 1 == len(network.ended)
