"""The built-in bundle, at the variant that this machine's processor computes."""

from __future__ import annotations

from spanserve import demo
from spanserve.bundle import Bundle
from spanserve.device import DeviceSpec


def builtin_bundle(precision: str | None = None) -> Bundle:
    """As a worker opens it."""
    return DeviceSpec.parse("cpu").kind.open(demo.BUNDLE, precision)
