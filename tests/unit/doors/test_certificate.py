"""Certificates: when one expires, whatever form that is in, and what is none."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.doors.certificate import not_after, read_pem, server_context

#: Expires in a year that two digits tell.
EARLY = """-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUGVuLq6evznVQyKIvLCb7bvlhslAwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFZWFybHkwHhcNMjYxMTI3MTQ0MzAwWhcNMjcxMTI3MTQ0MzAw
WjAQMQ4wDAYDVQQDDAVlYXJseTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAqq
jCxTnsSmwfydVdI65iZJ943ejzCZwiVWpJCxpi+Ot8mbW2k4j1mLFKzNYrV41GdI
hD3jZ1ZYZrnaT+WARAqjUzBRMB0GA1UdDgQWBBSE2dKcaLqNH+J2ZckacWJQqe9Y
bzAfBgNVHSMEGDAWgBSE2dKcaLqNH+J2ZckacWJQqe9YbzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIQDt2b5HM5cqMD4E1Sd+dOz0+hPFywyYoZCQ
uR1uLuOjZgIgEjTY2LJqGNSr4TmzZBk1tJe0jt5VB8tfcLaOHWFvao8=
-----END CERTIFICATE-----
"""
#: Expires after 2049, which DER writes in another form.
LATE = """-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIULYW2AgYlP2L+E1uMME4OPFuSJtQwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEbGF0ZTAgFw0yNjExMjcxNDQyNTlaGA8yMDYxMDIxNjE0NDI1
OVowDzENMAsGA1UEAwwEbGF0ZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMEb
VBvL8l8MfDAD2h1LUb5HLbQJVE3A9xn75sgPS3MyV3F7xqx0d8X74DFQBctOvLKh
XrRFmyzrBqjuCNRvouijUzBRMB0GA1UdDgQWBBR9DKnetCH9IqF/df/GXnyatALg
ETAfBgNVHSMEGDAWgBR9DKnetCH9IqF/df/GXnyatALgETAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIEJSNjuxLFaKya1KnspAKbCuYYo9xzCW9n0L
6vjkBZl1AiEAm2tYwjJttxAXU9wpW5CYqnm2U5TqSwGZvvoA7HwJ4JE=
-----END CERTIFICATE-----
"""


@pytest.mark.parametrize(
    ("pem", "expires"),
    [
        (EARLY, datetime(2027, 11, 27, 14, 43, tzinfo=UTC)),
        (LATE, datetime(2061, 2, 16, 14, 42, 59, tzinfo=UTC)),
    ],
    ids=["UTCTime", "GeneralizedTime"],
)
def test_expiry(pem: str, expires: datetime) -> None:
    """Both forms of a time are read."""
    (certificate,) = read_pem(f"Bag attributes: none\n{pem}")
    assert expires.timestamp() == not_after(certificate)


def test_chain() -> None:
    """A file may hold several."""
    assert 2 == len(set(read_pem(EARLY + LATE)))


@given(st.binary(max_size=64), st.integers(0, 370), st.integers(0, 370))
def test_damaged(noise: bytes, first: int, last: int) -> None:
    """Bytes that are exchanged make another certificate or none, and no other error."""
    (whole,) = read_pem(EARLY)
    for damaged in (noise, whole[:first], whole[:first] + noise + whole[last:]):
        with contextlib.suppress(ValueError):
            assert isinstance(not_after(damaged), float)


def test_no_certificate() -> None:
    """A file without one, or with something else in its place, is refused in words."""
    for text, problem in (
        ("", "holds no certificate in PEM"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is not an X.509 certificate"),
    ):
        with pytest.raises(ValueError, match=problem):
            read_pem(text)
    with pytest.raises(ValueError, match="the private key is not one in PEM, or is encrypted"):
        server_context(b"no key", EARLY.encode(), None)
