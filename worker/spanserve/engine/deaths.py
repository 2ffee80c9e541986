"""How often a device host may die before the device itself is to blame."""

from __future__ import annotations

from collections import deque

#: Deaths within the period that are still put up with. Those of a batch of suspects are not counted: there
#: the input is at fault, and the canary has proven the device since.
DEATHS_ALLOWED = 2
DEATHS_PERIOD_S = 60.0


class DeathBudget:
    """Counts deaths within a sliding period.

    Args:
        allowed: deaths within the period that are tolerated.
        who: dies.
    """

    def __init__(
        self,
        allowed: int = DEATHS_ALLOWED,
        period_s: float = DEATHS_PERIOD_S,
        who: str = "the device host",
    ) -> None:
        self._allowed = allowed
        self._period_s = period_s
        self._who = who
        self._times: deque[float] = deque()

    def charge(self, now: float) -> None:
        """Note a death."""
        self._times.append(now)

    def verdict(self, now: float) -> str:
        """Why the device should be given up; empty if it should not."""
        while self._times and now - self._times[0] > self._period_s:
            self._times.popleft()
        if len(self._times) <= self._allowed:
            return ""
        return f"{self._who} died {len(self._times)} times within {self._period_s:g} s"
