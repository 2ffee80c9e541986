"""A rollout: whose turn it is, and what it waits for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest

from spanserve.engine.waiting import Changes
from spanserve.fleet.member import GIVEN_UP, READY, WAITING, Member
from spanserve.fleet.pinned_bundle import PinnedBundle
from spanserve.fleet.placements import Placement, parse_placements
from spanserve.fleet.rollout import RolloutStatus, roll_out

OLD, NEW = (PinnedBundle(Path(f"/{name}"), name, (), name) for name in ("old", "new"))


@dataclass
class FakeMember:
    """A member that is ready at once after a start; `then` is its state from its renewal on."""

    placement: Placement
    state: str = READY
    then: str = READY
    pinned: PinnedBundle | None = OLD
    reason: str = ""
    order: list[str] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def serving(self) -> bool:
        return self.state == READY

    async def stop(self) -> None:
        self.order.append(self.placement.name)

    def start(self, pinned: PinnedBundle, *, trial: bool = False) -> None:
        self.pinned, self.state = pinned, self.then
        self.started.set()

    async def proven(self, timeout_s: float) -> bool:
        return True


class Ground:
    """Members in these states, and a rollout over them."""

    def __init__(self, *states: str) -> None:
        self.order: list[str] = []
        placements = parse_placements(f"mlu:0-{len(states) - 1}", "h:1")
        self.members = [
            FakeMember(placement, state, order=self.order)
            for placement, state in zip(placements, states, strict=True)
        ]
        self.status = RolloutStatus()
        self.changes = Changes()
        self.newer = asyncio.Event()

    async def roll_out(self, limit_s: float = 60.0) -> bool:
        members: Any = self.members
        return await roll_out(
            NEW,
            cast("list[Member]", members),
            self.status,
            ready_timeout_s=limit_s,
            changes=self.changes,
            newer=self.newer,
        )


ORDERS = {
    "all-serve": ((READY, READY, READY), ["mlu:0", "mlu:1", "mlu:2"]),
    "one-crash-loops": ((READY, READY, WAITING), ["mlu:2", "mlu:0", "mlu:1"]),
    "one-given-up": ((GIVEN_UP, READY, READY), ["mlu:1", "mlu:2", "mlu:0"]),
    "both": ((GIVEN_UP, READY, WAITING), ["mlu:2", "mlu:1", "mlu:0"]),
}


@pytest.mark.parametrize(("states", "expected"), ORDERS.values(), ids=ORDERS)
async def test_order(states: tuple[str, ...], expected: list[str]) -> None:
    """Who does not serve has nothing to lose and comes first; who was given up comes last."""
    ground = Ground(*states)
    assert await ground.roll_out()
    assert expected == ground.order
    assert [NEW] * 3 == [member.pinned for member in ground.members]


async def test_the_wait_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card that was renewed and serves no more is waited for, aloud, and not for ever."""
    ground = Ground(READY, READY)
    ground.members[0].then = WAITING
    log = Mock()
    monkeypatch.setattr("spanserve.fleet.rollout.log", log)
    assert not await ground.roll_out(limit_s=0.05)
    assert ["mlu:0"] == ground.order
    assert "mlu:0 did not serve for 0.05 s" in ground.status.error
    log.info.assert_called_with("rollout waits", device="mlu:1", waits_for="mlu:0")


async def test_the_wait_is_over_when_it_serves() -> None:
    """The rollout goes on as soon as the card that it waits for serves."""
    ground = Ground(READY, READY)
    ground.members[0].then = WAITING
    rolling = asyncio.create_task(ground.roll_out())
    await ground.members[0].started.wait()
    ground.members[0].state = READY
    ground.changes.tell()
    assert await rolling


async def test_a_newer_one_ends_the_wait() -> None:
    """Whoever sends another bundle does not have to wait for the cards of the last one."""
    ground = Ground(READY, READY)
    ground.members[0].then = WAITING
    ground.newer.set()
    assert not await ground.roll_out()
    assert "another SIGHUP came while mlu:0 was not serving" == ground.status.error
