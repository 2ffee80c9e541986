"""A new bundle card by card, while the others serve.

The first card is the canary: should it not become ready on the new bundle, which takes the golden answers, it
goes back to the old one and the rest stays as it is. So does any later card, and the rollout stops there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import structlog

from spanserve.engine.waiting import Changes, first
from spanserve.fleet.member import GIVEN_UP, Member
from spanserve.fleet.pinned_bundle import PinnedBundle

log = structlog.get_logger(__name__)


class RolloutFailed(Exception):
    """A card did not become ready on the new bundle, or not ready again. Says which, and why."""


@dataclass(slots=True)
class RolloutStatus:
    """The last rollout, for people to read.

    Attributes:
        bundle: path of the new one.
        error: why it failed; empty if it did not.
        finished, failed: rollouts so far.
    """

    state: Literal["none", "running", "finished", "failed"] = "none"
    bundle: str = ""
    error: str = ""
    finished: int = 0
    failed: int = 0

    def fail(self, bundle: str, error: str) -> None:
        """Note and log that a rollout failed."""
        self.state, self.bundle, self.error = "failed", bundle, error
        self.failed += 1
        log.error("rollout failed", bundle=bundle, error=error)


async def roll_out(
    pinned: PinnedBundle,
    members: Sequence[Member],
    status: RolloutStatus,
    *,
    ready_timeout_s: float,
    changes: Changes,
    newer: asyncio.Event,
) -> bool:
    """Renew every worker, one at a time: never fewer than all but one serve on account of this.

    Args:
        changes: set whenever the state of a member changes.
        newer: set when another rollout is wanted: this one waits for no card any more.

    Returns:
        Whether every card that is not given up serves the new bundle.
    """
    status.state, status.bundle, status.error = "running", str(pinned.path), ""
    log.info(
        "rollout began",
        bundle=status.bundle,
        model_digest=", ".join(variant.digest for variant in pinned.variants),
    )
    left = list(members)
    try:
        while left:
            member = await _next(left, members, ready_timeout_s, changes, newer)
            canary, given_up = len(left) == len(members), member.state == GIVEN_UP
            left.remove(member)
            log.info("renewing worker", device=member.placement.name, canary=canary)
            try:
                await _renew(member, pinned, ready_timeout_s)
            except RolloutFailed:
                if canary or not given_up:
                    raise
    except RolloutFailed as failure:
        status.fail(status.bundle, str(failure))
        return False
    status.state = "finished"
    status.finished += 1
    log.info("rollout finished", bundle=status.bundle, workers=len(members))
    return True


async def _next(
    left: Sequence[Member], members: Sequence[Member], limit_s: float, changes: Changes, newer: asyncio.Event
) -> Member:
    """The card whose turn it is, as soon as taking it away leaves all others serving.

    One that does not serve comes first and at once: nothing is lost, and the new bundle may be its cure. One that
    has been given up comes last: as the canary it would condemn any bundle.

    Raises:
        RolloutFailed: a card that was renewed does not serve for too long, or another rollout is wanted.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + limit_s
    told = ""
    while True:
        changed = changes.next
        member = min(left, key=lambda one: (one.state == GIVEN_UP, one.serving))
        missing = ", ".join(
            other.placement.name
            for other in members
            if other is not member and not other.serving and other.state != GIVEN_UP
        )
        if not member.serving or not missing:
            return member
        if newer.is_set():
            raise RolloutFailed(f"another SIGHUP came while {missing} was not serving")
        if clock() >= deadline:
            raise RolloutFailed(
                f"{missing} did not serve for {limit_s:g} s, so {member.placement.name} was not restarted"
            )
        if missing != told:
            told = missing
            log.info("rollout waits", device=member.placement.name, waits_for=missing)
        await first(changed, newer, timeout_s=deadline - clock())


async def _renew(member: Member, pinned: PinnedBundle, ready_timeout_s: float) -> None:
    """Drain a worker and start one on the new bundle in its place; or on the old one again.

    Raises:
        RolloutFailed: the new one did not become ready.
    """
    old = member.pinned
    await member.stop()
    member.reason = ""
    member.start(pinned, trial=True)
    if await member.proven(ready_timeout_s):
        return
    failure = RolloutFailed(f"{member.placement.name} on {pinned.path}: {member.reason}")
    await member.stop()
    if old is not None:
        member.start(old)
    raise failure
