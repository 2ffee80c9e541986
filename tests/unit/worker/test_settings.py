"""Settings: every value that cannot work is refused in words, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spanserve.contract.errors import SettingsError
from spanserve.device.limits import MAX_BATCH, MAX_SLOTS
from spanserve.doors.grpc.settings import GrpcSettings
from spanserve.doors.listener import Listener
from spanserve.worker.settings import Settings

REFUSED = {
    "no-slot": ({"slots": -1}, "slots is -1"),
    "no-batch": ({"max_batch_size": 0}, "max_batch_size is 0"),
    "slots": ({"slots": MAX_SLOTS + 1}, "slots is 257: a device has at most 256"),
    "batch": (
        {"max_batch_size": MAX_BATCH + 1},
        "max_batch_size is 1025: a batch holds at most 1024 windows",
    ),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(given: dict[str, Any], message: str) -> None:
    """A value that cannot work is refused by name."""
    with pytest.raises(SettingsError, match=message):
        Settings(bundle=Path("b"), **given)


@pytest.mark.parametrize(
    "given",
    [{}, {"slots": 1, "max_batch_size": 1}, {"slots": MAX_SLOTS, "max_batch_size": MAX_BATCH}],
    ids=["defaults", "smallest", "largest"],
)
def test_accepted(given: dict[str, Any]) -> None:
    """What can work is taken as it is."""
    settings = Settings(bundle=Path("b"), **given)
    assert given == {name: getattr(settings, name) for name in given}


def test_nowhere_and_twice() -> None:
    """A worker listens somewhere, and at no address twice; any port is another one each time."""
    somewhere, anywhere = Listener(address="127.0.0.1:1"), Listener(address="127.0.0.1:0")
    with pytest.raises(SettingsError, match="listen is empty"):
        GrpcSettings(listen=())
    with pytest.raises(SettingsError, match=r"listen has 127\.0\.0\.1:1 more than once"):
        GrpcSettings(listen=(somewhere, somewhere))
    assert 2 == len(GrpcSettings(listen=(anywhere, anywhere)).listen)
