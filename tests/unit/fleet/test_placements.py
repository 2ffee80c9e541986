"""Placements: which devices and addresses the options of `spanserve up` name."""

from __future__ import annotations

import re

import pytest

from spanserve.contract.errors import SpanserveError
from spanserve.fleet.placements import parse_placements

NAMED = {
    "one": ("cpu", "h:1", [("cpu", "cpu", "h:1")]),
    "range": (
        "mlu:2-4",
        "h:5-7",
        [("mlu:2", "mlu:2", "h:5"), ("mlu:3", "mlu:3", "h:6"), ("mlu:4", "mlu:4", "h:7")],
    ),
    "list-and-spare-ports": ("mlu:0, mlu:7", "h:5-9", [("mlu:0", "mlu:0", "h:5"), ("mlu:7", "mlu:7", "h:6")]),
    "alike": (
        "sim:fixed?latency_ms=5*2,cpu",
        "[::1]:5",
        [
            ("sim:fixed#0", "sim:fixed?latency_ms=5", "[::1]:5"),
            ("sim:fixed#1", "sim:fixed?latency_ms=5", "[::1]:6"),
            ("cpu", "cpu", "[::1]:7"),
        ],
    ),
    "alike-but-for-options": (
        "sim:fixed,sim:fixed?latency_ms=5",
        "h:5",
        [("sim:fixed#0", "sim:fixed", "h:5"), ("sim:fixed#1", "sim:fixed?latency_ms=5", "h:6")],
    ),
}


@pytest.mark.parametrize(("devices", "listen", "expected"), NAMED.values(), ids=NAMED)
def test_named(devices: str, listen: str, expected: list[tuple[str, str, str]]) -> None:
    """Every device gets a name of its own and a port of its own, in the order given."""
    placements = parse_placements(devices, listen)
    assert expected == [(placement.name, placement.spec.text, placement.address) for placement in placements]


def test_scheme() -> None:
    """Every worker is told the scheme; the address is none the longer for it."""
    placements = parse_placements("cpu,sim:fixed", "h:5-6?tls&tokens")
    assert ["h:5", "h:6"] == [placement.address for placement in placements]
    assert ["h:5?tls&tokens", "h:6?tls&tokens"] == [placement.listen for placement in placements]


def test_http() -> None:
    """Every worker has an HTTP door of its own where there are any, with a scheme of their own."""
    placements = parse_placements("cpu,sim:fixed", "h:5-6?tls", "i:8-9?plain")
    assert ["i:8?plain", "i:9?plain"] == [placement.http for placement in placements]
    assert [["h:5", "i:8"], ["h:6", "i:9"]] == [placement.addresses for placement in placements]
    (placement,) = parse_placements("cpu", "h:5")
    assert ("", ["h:5"]) == (placement.http, placement.addresses)


REFUSED = {
    "nothing": ("", "h:1", "0 devices"),
    "range-backwards": ("mlu:3-2", "h:1", "0 devices"),
    "too-many": ("sim:fixed*65", "h:1", "65 devices"),
    "a-card-twice": ("mlu:0-3,mlu:2", "h:1", "mlu:2 is named 2 times"),
    "a-card-in-other-digits": ("mlu:07,mlu:7", "h:1", "mlu:7 is named 2 times"),
    "a-card-times": ("mlu:0*2", "h:1", "mlu:0 is named 2 times"),
    "unknown-device": ("gpu:0", "h:1", "'gpu:0' is not known"),
    "too-few-ports": ("mlu:0-7", "h:1-7", "7 ports for 8 devices"),
    "ports-backwards": ("cpu", "h:7-1", "not between"),
    "no-port": ("cpu", "h", "HOST:FIRST-LAST"),
    "port-zero": ("cpu", "h:0", "not between"),
    "ports-end": ("mlu:0-7", "h:65530", "not between"),
    "socket-file": ("cpu", "unix:/run/w.sock:1", "HOST:FIRST-LAST"),
}


@pytest.mark.parametrize(("devices", "listen", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(devices: str, listen: str, message: str) -> None:
    """What cannot work is refused with what was found."""
    with pytest.raises(SpanserveError, match=re.escape(message)):
        parse_placements(devices, listen)
    if "HOST" in message or "ports" in message:
        with pytest.raises(SpanserveError, match=re.escape(f"http is {listen!r}")):
            parse_placements(devices, "h:1", listen)
