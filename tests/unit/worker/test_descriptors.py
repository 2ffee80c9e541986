"""Descriptors: the limit that a worker gives itself, and what connections may take of it."""

from __future__ import annotations

import asyncio
import resource

import pytest
from structlog.testing import capture_logs

from spanserve.doors import descriptors
from tests.kit.waiting import eventually

ENDLESS = resource.RLIM_INFINITY


class Limits:
    """Stands for those of the process."""

    def __init__(self, soft: int, hard: int) -> None:
        self.now = soft, hard

    def getrlimit(self, which: int) -> tuple[int, int]:
        assert which == resource.RLIMIT_NOFILE
        return self.now

    def setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        assert which == resource.RLIMIT_NOFILE
        self.now = limits


def use(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> Limits:
    limits = Limits(soft, hard)
    monkeypatch.setattr(resource, "getrlimit", limits.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", limits.setrlimit)
    return limits


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 4096, 4096),
        (1024, 1 << 30, 65_536),
        (1024, ENDLESS, 65_536),
        (1 << 20, 1 << 20, 1 << 20),
        (512, 512, 512),
    ],
)
def test_raise_limit(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int) -> None:
    """The soft limit goes up as far as the hard one and reason let it; neither goes down."""
    limits = use(monkeypatch, soft, hard)
    assert raised == descriptors.raise_limit()
    assert (raised, hard) == limits.now


def test_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a limit nothing is changed, and connections have all the room they want."""
    limits = use(monkeypatch, ENDLESS, ENDLESS)
    assert descriptors.WANTED == descriptors.raise_limit()
    assert (ENDLESS, ENDLESS) == limits.now
    assert 512 == descriptors.room_for(512)


@pytest.mark.parametrize(("soft", "room"), [(65_536, 512), (400, 400 - descriptors.RESERVE), (64, 1)])
def test_room(monkeypatch: pytest.MonkeyPatch, soft: int, room: int) -> None:
    """The reserve is kept back from connections; one is let in whatever the limit."""
    use(monkeypatch, soft, soft)
    assert room == descriptors.room_for(512)


async def test_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly no descriptors left is said, with both numbers and at most once a minute."""
    use(monkeypatch, 1, 1)
    with capture_logs() as lines:
        watching = asyncio.create_task(descriptors.watch())
        await eventually(lambda: bool(lines))
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    (line,) = lines
    assert {"event": "descriptors run out", "limit": 1, "per_minute": 1}.items() <= line.items()
    assert line["open"] > 1
