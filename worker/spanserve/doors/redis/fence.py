"""The fence: of what a worker holds nothing more is started while its leases may have run out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from spanserve.doors.redis.leased import LeasedTasks
from spanserve.engine.engine import Engine

#: Of a lease that was not renewed for this part of its length nothing new is started.
FENCE = 0.8

log = structlog.get_logger(__name__)


class Fence:
    """Stands between the leased tasks of one queue and the device while their leases are in doubt.

    Args:
        held: the leased tasks.
        engine: pauses them, and resumes them.
        clock: seconds, monotonic.
    """

    def __init__(self, held: LeasedTasks, engine: Engine[Any, Any], clock: Callable[[], float]) -> None:
        #: Whether it stands.
        self.up = False
        self._held = held
        self._engine = engine
        self._clock = clock
        self._verified = clock()

    def verified(self, at: float) -> None:
        """All leases were known to be in force at this time."""
        self._verified = max(self._verified, at)

    def look(self, lease_s: float) -> None:
        """Put it up if the leases were not verified for too long."""
        stale = self._clock() - self._verified > FENCE * lease_s
        if stale and not self.up and self._held:
            self.up = True
            log.warning("leases in doubt", tasks=len(self._held))
            self._engine.pause(self._held.requests())

    def take_down(self) -> None:
        """The leases are verified: go on with what was paused."""
        if self.up:
            self.up = False
            self._engine.resume(self._held.requests())
            log.info("leases verified")
