"""Settings: every value that cannot work is refused in words, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spanserve.contract.errors import SettingsError
from spanserve.doors.grpc.settings import GrpcSettings, is_local
from spanserve.worker.settings import Settings

CERT, KEY, CA = Path("w.crt"), Path("w.key"), Path("ca.crt")


def settings_of(given: dict[str, Any]) -> Settings:
    """Settings of a worker with these, wherever among them they belong."""
    own = {name: value for name, value in given.items() if name in Settings.__dataclass_fields__}
    grpc = {name: value for name, value in given.items() if name not in own}
    return Settings(bundle=Path("b"), grpc=GrpcSettings(**grpc), **own)


REFUSED = {
    "no-slot": ({"slots": -1}, "slots is -1"),
    "no-batch": ({"max_batch_size": 0}, "max_batch_size is 0"),
    "cert-without-key": ({"tls_cert": CERT}, "tls_cert and tls_key"),
    "key-without-cert": ({"tls_key": KEY}, "tls_cert and tls_key"),
    "client-ca-without-cert": ({"tls_client_ca": CA}, "tls_client_ca needs"),
    "no-address": ({"listen": "worker"}, "listen is 'worker': use HOST:PORT"),
    "no-host": ({"listen": ":50051"}, "listen is ':50051'"),
    "port-is-a-word": ({"listen": "127.0.0.1:http"}, "listen is '127.0.0.1:http'"),
    "port-too-large": ({"listen": "127.0.0.1:65536"}, "at most 65535"),
    "no-socket-file": ({"listen": "unix:"}, "listen is 'unix:'"),
    "no-address-for-metrics": ({"metrics_listen": "9100"}, "metrics is '9100'"),
    "plaintext-everywhere": ({"listen": "0.0.0.0:50051"}, "listen is 0.0.0.0:50051"),
    "plaintext-everywhere-v6": ({"listen": "[::]:50051"}, "plaintext"),
    "plaintext-to-the-network": ({"listen": "10.0.0.7:50051"}, "--insecure"),
    "plaintext-by-name": ({"listen": "worker.example:50051"}, "plaintext"),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(given: dict[str, Any], message: str) -> None:
    """A value that cannot work is refused by name."""
    with pytest.raises(SettingsError, match=message.replace("[", r"\[")):
        settings_of(given)


ACCEPTED: dict[str, dict[str, Any]] = {
    "defaults": {},
    "plaintext-on-this-machine": {"listen": "127.0.0.1:0"},
    "plaintext-if-asked-for": {"listen": "0.0.0.0:50051", "insecure": True},
    "tls-everywhere": {"listen": "0.0.0.0:50051", "tls_cert": CERT, "tls_key": KEY},
    "mutual-tls": {"listen": "[::]:1", "tls_cert": CERT, "tls_key": KEY, "tls_client_ca": CA},
    "largest-port": {"listen": "127.0.0.1:65535"},
    "socket-files": {"listen": "unix:/run/w.sock", "metrics_listen": "unix:/run/m.sock"},
    "smallest": {"slots": 1, "max_batch_size": 1},
}


@pytest.mark.parametrize("given", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(given: dict[str, Any]) -> None:
    """What can work is taken as it is."""
    settings = settings_of(given)
    assert given == {
        name: getattr(settings if hasattr(settings, name) else settings.grpc, name) for name in given
    }


ADDRESSES = {
    "127.0.0.1:50051": True,
    "127.8.8.8:1": True,
    "localhost:50051": True,
    "[::1]:50051": True,
    "unix:/run/w.sock": True,
    "0.0.0.0:50051": False,
    "[::]:50051": False,
    "192.168.0.1:50051": False,
    "worker:50051": False,
    "50051": False,
}


@pytest.mark.parametrize(("address", "expected"), ADDRESSES.items(), ids=ADDRESSES)
def test_is_local(address: str, expected: bool) -> None:
    """Only loopback and socket files are out of reach for other machines; a name could be anybody."""
    assert expected == is_local(address)
