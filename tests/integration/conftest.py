"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from spanserve.bundle import Bundle
from spanserve.device import Device, DeviceSpec
from tests.kit.devices import Log, children


@pytest.fixture
def log() -> Log:
    """What the devices of this test say."""
    return Log()


@pytest.fixture
def open_device(sim_bundle: Bundle, log: Log) -> Iterator[Callable[..., Device]]:
    """Makes devices that are not started yet; closes them, and looks for hosts that were left."""
    before = children()
    made: list[Device] = []

    def make(spec: str = "sim:fixed", *, bundle: Bundle = sim_bundle, **arguments: Any) -> Device:
        made.append(Device(bundle, DeviceSpec.parse(spec), log=log, **arguments))
        return made[-1]

    yield make
    for device in made:
        device.close()
    assert set() == children() - before
