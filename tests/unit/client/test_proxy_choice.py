"""Which connections go through the proxy of the environment."""

from __future__ import annotations

import pytest

from spanserve.client.grpc.addresses import Endpoint
from spanserve.client.grpc.proxy import VARIABLES, proxy_of

PROXY = "proxy.internal:3128"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", VARIABLES)
def test_proxy(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Each of gRPC's variables counts, and a password in it is not shown."""
    assert not proxy_of(Endpoint("192.0.2.1:50051"))
    monkeypatch.setenv(variable, f"http://me:secret@{PROXY}")
    assert PROXY == proxy_of(Endpoint("192.0.2.1:50051"))


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize(
    ("excluded", "endpoint"),
    [
        pytest.param("192.0.2.1", Endpoint("192.0.2.1:50051"), id="number"),
        pytest.param("fleet.internal", Endpoint("192.0.2.1:50051", "fleet.internal"), id="name-of-a-number"),
        pytest.param(".internal", Endpoint("fleet.internal:50051"), id="domain"),
        pytest.param("*", Endpoint("[2001:db8::1]:50051"), id="all"),
    ],
)
def test_excluded(monkeypatch: pytest.MonkeyPatch, variable: str, excluded: str, endpoint: Endpoint) -> None:
    """Names and numbers are excluded, by the variable in small letters and in capitals."""
    monkeypatch.setenv("http_proxy", f"http://{PROXY}")
    assert PROXY == proxy_of(endpoint)
    monkeypatch.setenv(variable, excluded)
    assert not proxy_of(endpoint)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "localhost:1", "unix:/run/w.sock"]
)
def test_here(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """A proxy is never asked for what runs on this machine."""
    monkeypatch.setenv("https_proxy", f"http://{PROXY}")
    assert not proxy_of(Endpoint(address))
