"""Names by which a listener may be called."""

from __future__ import annotations

import pytest

from spanserve.doors.http.hosts import Hosts
from spanserve.doors.listener import Listener

HOSTS = Hosts(Listener(address="worker-1.example:80"), ["qa.example", "QA.Other."])
ALLOWED = (
    *("localhost", "localhost:8080", "LOCALHOST.", "a.localhost:1", "127.0.0.1:8080", "[::1]:8080", "[::1]"),
    *("10.0.0.7", "worker-1.example", "Worker-1.Example:80", "qa.example", "qa.other:443", ""),
)
REFUSED = (
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "[evil]",
    "x:y",
)


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed(name: str) -> None:
    """Loopback names, addresses, the listener's own name and those that are given, whatever the port."""
    assert HOSTS.allow(name)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """A name that anybody may have lead here."""
    assert not HOSTS.allow(name)


SAFE = {"tokens": Listener(address="h:1", tls=True, tokens=True), "file": Listener(address="unix:/run/w")}


@pytest.mark.parametrize("listener", SAFE.values(), ids=SAFE)
def test_where_no_page_comes(listener: Listener) -> None:
    """Where a page of somebody else has no token, or cannot connect, every name will do."""
    assert Hosts(listener).allow("evil.example")
