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

from spanserve.worker.up.member import GIVEN_UP, Member
from spanserve.worker.up.release import Release

log = structlog.get_logger(__name__)


class RolloutFailed(Exception):
    """A card did not become ready on the new bundle. Says which, and why."""


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
    release: Release,
    members: Sequence[Member],
    status: RolloutStatus,
    *,
    ready_timeout_s: float,
    changed: asyncio.Event,
) -> bool:
    """Renew every worker, one at a time: never fewer than all but one serve on account of this.

    Args:
        changed: set whenever a member does something else.

    Returns:
        Whether every card that is not given up serves the new bundle.
    """
    status.state, status.bundle, status.error = "running", str(release.path), ""
    log.info("rollout began", bundle=status.bundle, model_digest=release.digest)
    # A card that has been given up is no canary: it would condemn any bundle.
    order = sorted(members, key=lambda member: member.state == GIVEN_UP)
    for number, member in enumerate(order):
        given_up = member.state == GIVEN_UP
        await _others_serve(member, members, changed)
        log.info("renewing worker", device=member.place.name, canary=number == 0)
        try:
            await _renew(member, release, ready_timeout_s)
        except RolloutFailed as failure:
            if given_up and number:
                continue
            status.fail(status.bundle, str(failure))
            return False
    status.state = "finished"
    status.finished += 1
    log.info("rollout finished", bundle=status.bundle, workers=len(members))
    return True


async def _others_serve(member: Member, members: Sequence[Member], changed: asyncio.Event) -> None:
    """Wait until taking this card away leaves all others serving; one that does not serve anyway may go at once."""
    while member.serving and not all(
        other.serving or other.state == GIVEN_UP for other in members if other is not member
    ):
        changed.clear()
        await changed.wait()


async def _renew(member: Member, release: Release, ready_timeout_s: float) -> None:
    """Drain a worker and start one on the new bundle in its place; or on the old one again.

    Raises:
        RolloutFailed: the new one did not become ready.
    """
    old = member.release
    await member.stop()
    member.reason = ""
    member.start(release, trial=True)
    if await member.proven(ready_timeout_s):
        return
    failure = RolloutFailed(f"{member.place.name} on {release.path}: {member.reason}")
    await member.stop()
    if old is not None:
        member.start(old)
    raise failure
