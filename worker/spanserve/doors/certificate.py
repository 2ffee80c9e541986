"""What can be read from X.509 certificates without a library: when they expire, and whether a key belongs to them.

The standard library checks chains in a handshake and shows the fields of a certificate only where a handshake has
accepted it; here they are needed before, and after.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
#: Tags of DER.
_SEQUENCE, _UTC_TIME, _VERSION = 0x30, 0x17, 0xA0


def read_pem(text: str) -> tuple[bytes, ...]:
    """The certificates of a PEM file, in DER.

    Raises:
        ValueError: there is none, or something that is not one.
    """
    found = tuple(ssl.PEM_cert_to_DER_cert(block) for block in _BLOCK.findall(text))
    if not found:
        raise ValueError("holds no certificate in PEM")
    for certificate in found:
        not_after(certificate)
    return found


@lru_cache(maxsize=1024)
def not_after(certificate: bytes) -> float:
    """Unix time in seconds at which a certificate in DER expires.

    Raises:
        ValueError: it is not a certificate.
    """
    try:
        (body, *_) = _children(*_content(certificate, 0, _SEQUENCE))
        fields = list(_children(*_content(certificate, body, _SEQUENCE)))
        if certificate[fields[0]] == _VERSION:
            fields = fields[1:]
        # serial, signature, issuer, validity
        _, late = _children(*_content(certificate, fields[3], _SEQUENCE))
        start, end = _bounds(certificate, late)
        text = certificate[start:end].decode("ascii")
        if certificate[late] == _UTC_TIME:  # two digits of the year: 1950 to 2049
            text = ("19" if int(text[:2]) >= 50 else "20") + text
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except (IndexError, ValueError):
        raise ValueError("holds something that is not an X.509 certificate") from None


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """What a client has shown, and the handshake accepted.

    Attributes:
        names: subject alternative names in their order.
        common_name: for certificates without any.
        expires: Unix time in seconds.
    """

    names: tuple[str, ...]
    common_name: str
    expires: float


def server_context(key: bytes, chain: bytes, client_ca: bytes | None) -> ssl.SSLContext:
    """A context for a server, of PEM files; with a CA, clients must show a certificate of it.

    Raises:
        ValueError: the key is not that of the first certificate, or a file is not what it should be; says which.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    read_pem(_text(chain))
    try:
        with _as_file(chain) as chain_path, _as_file(key) as key_path:
            context.load_cert_chain(chain_path, key_path, password=lambda: b"")  # never ask at the terminal
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        problem = "belongs to another certificate" if mismatch else "is not one in PEM, or is encrypted"
        raise ValueError(f"the private key {problem}") from None
    if client_ca is not None:
        read_pem(_text(client_ca))
        context.load_verify_locations(cadata=_text(client_ca))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """The path of a file that only this process has: the ssl module reads from paths alone."""
    with os.fdopen(os.memfd_create("spanserve"), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def _text(pem: bytes) -> str:
    return pem.decode("ascii", errors="replace")


def _bounds(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER element at a place begins and ends."""
    length = data[at + 1]
    start = at + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if start + length > len(data):
        raise IndexError
    return start, start + length


def _content(data: bytes, at: int, tag: int) -> tuple[bytes, int, int]:
    if data[at] != tag:
        raise ValueError
    return (data, *_bounds(data, at))


def _children(data: bytes, start: int, end: int) -> Iterator[int]:
    """Where each element of a sequence begins."""
    while start < end:
        yield start
        start = _bounds(data, start)[1]
