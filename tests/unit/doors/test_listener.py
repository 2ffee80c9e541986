"""Listeners: an address and a scheme, in one option."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from spanserve.contract.errors import SettingsError
from spanserve.doors.listener import AccessSettings, Listener, is_local

CERT, KEY, CA, TOKENS = Path("w.crt"), Path("w.key"), Path("ca.crt"), Path("tokens")
TLS: dict[str, Any] = {"tls_cert": CERT, "tls_key": KEY}
MTLS = {**TLS, "tls_client_ca": CA}
LIST: dict[str, Any] = {"tokens": TOKENS}
LOOPBACK, EVERYWHERE, FILE = "127.0.0.1:0", "0.0.0.0:50051", "unix:/run/w.sock"

#: Files, option -> scheme.
SCHEMES = {
    "nothing": ({}, LOOPBACK, "plain"),
    "largest-port": ({}, "127.0.0.1:65535", "plain"),
    "socket-file": ({}, FILE, "plain"),
    "socket-file-of-a-group": ({}, f"{FILE}?mode=0660", "plain&mode=0660"),
    "insecure": ({"insecure": True}, EVERYWHERE, "plain"),
    "tls-by-files": (TLS, EVERYWHERE, "tls"),
    "mtls-by-files": (MTLS, "[::]:1", "mtls"),
    "tls-on-a-socket-file-by-files": (TLS, FILE, "tls"),
    "tokens-by-files": ({**TLS, **LIST}, EVERYWHERE, "tls&tokens"),
    "tokens-on-a-socket-file-by-files": (LIST, FILE, "plain&tokens"),
    "tokens-and-mode": (LIST, f"{FILE}?mode=0600", "plain&tokens&mode=0600"),
    "no-tokens-in-plaintext": (LIST, LOOPBACK, "plain"),
    "no-tokens-beside-certificates": ({**MTLS, **LIST}, EVERYWHERE, "mtls"),
    "both-by-words": ({**MTLS, **LIST}, f"{EVERYWHERE}?mtls&tokens", "mtls&tokens"),
    "less-by-words": ({**MTLS, **LIST}, f"{EVERYWHERE}?tls", "tls"),
    "tokens-by-words": ({**TLS, **LIST}, f"{EVERYWHERE}?tokens", "tls&tokens"),
    "plain-by-words": ({**MTLS, **LIST}, f"{LOOPBACK}?plain", "plain"),
    "plain-socket-file-by-words": ({**MTLS, **LIST}, f"{FILE}?plain", "plain"),
}


@pytest.mark.parametrize(("files", "option", "scheme"), SCHEMES.values(), ids=SCHEMES)
def test_schemes(files: dict[str, Any], option: str, scheme: str) -> None:
    """The words decide; where they do not, the files that there are. What it says of itself gives the same again."""
    settings = AccessSettings(**files)
    listener = settings.listener("listen", option)
    assert (option.partition("?")[0], scheme) == (listener.address, listener.scheme)
    assert listener == settings.listener("listen", f"{listener.address}?{listener.scheme}")
    assert ("tokens" in scheme or "mtls" in scheme) == listener.asks


def test_pages_are_plain() -> None:
    """Pages are in plaintext, for everybody, wherever they are, unless words say otherwise: so they were."""
    settings = AccessSettings(**MTLS, **LIST)
    for address in (LOOPBACK, EVERYWHERE, FILE):
        assert Listener(address=address) == settings.listener("metrics", address, plain=True)
    words = f"{EVERYWHERE}?tls&tokens"
    assert "tls&tokens" == settings.listener("metrics", words, plain=True).scheme


REFUSED = {
    "no-address": ({}, "worker", "listen is 'worker': use HOST:PORT"),
    "no-host": ({}, ":50051", "listen is ':50051'"),
    "port-is-a-word": ({}, "127.0.0.1:http", "listen is '127.0.0.1:http'"),
    "port-too-large": ({}, "127.0.0.1:65536", "at most 65535"),
    "no-socket-file": ({}, "unix:", "listen is 'unix:'"),
    "plaintext-everywhere": ({}, EVERYWHERE, "listen is 0.0.0.0:50051"),
    "plaintext-everywhere-v6": ({}, "[::]:50051", "plaintext"),
    "plaintext-to-the-network": ({}, "10.0.0.7:50051", "--insecure"),
    "plaintext-by-name": ({}, "worker.example:50051", "plaintext"),
    "plaintext-by-words": (TLS, f"{EVERYWHERE}?plain", "--insecure"),
    "unknown-word": ({}, f"{LOOPBACK}?ssl", "'ssl' is not one of"),
    "two-transports": (MTLS, f"{LOOPBACK}?tls&mtls", "exclude each other"),
    "tls-without-files": ({}, f"{LOOPBACK}?tls", "tls needs --tls-cert"),
    "mtls-without-ca": (TLS, f"{LOOPBACK}?mtls", "mtls needs --tls-client-ca"),
    "tokens-without-list": (TLS, f"{LOOPBACK}?tokens", "tokens needs --tokens"),
    "tokens-in-plaintext": (LIST, f"{LOOPBACK}?tokens", "only over TLS or a socket file"),
    "tokens-in-plaintext-by-words": (
        {**TLS, **LIST},
        f"{LOOPBACK}?plain&tokens",
        "only over TLS or a socket file",
    ),
    "mode-of-a-port": ({}, f"{LOOPBACK}?mode=0600", "mode= is for unix:PATH"),
    "mode-without-owner": ({}, f"{FILE}?mode=0060", "mode= must give its owner access, as 0600"),
    "mode-of-no-digits": ({}, f"{FILE}?mode=rw", "mode= must give its owner access, as 0600"),
}


@pytest.mark.parametrize(("files", "option", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(files: dict[str, Any], option: str, message: str) -> None:
    """What cannot work is refused with the name of the option and its value."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        AccessSettings(**files).listener("listen", option)


HALVES = {
    "cert-without-key": ({"tls_cert": CERT}, "tls_cert and tls_key"),
    "key-without-cert": ({"tls_key": KEY}, "tls_cert and tls_key"),
    "client-ca-without-cert": ({"tls_client_ca": CA}, "tls_client_ca needs"),
}


@pytest.mark.parametrize(("files", "message"), HALVES.values(), ids=HALVES)
def test_halves(files: dict[str, Any], message: str) -> None:
    """Files that are of no use alone are refused alone."""
    with pytest.raises(SettingsError, match=message):
        AccessSettings(**files)


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
