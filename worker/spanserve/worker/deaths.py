"""How often a device host may die before the device itself is to blame."""

from __future__ import annotations

from collections import deque

#: Deaths within the period that are still put up with. Those of an exclusive batch are not counted: there
#: the input is at fault, and the canary has proven the device since.
DEATHS_ALLOWED = 2
DEATHS_PERIOD_S = 60.0


class DeathBudget:
    """Counts host deaths within a sliding period."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def charge(self, now: float) -> None:
        """Note a death."""
        self._times.append(now)

    def verdict(self, now: float) -> str:
        """Why the device should be given up; empty if it should not."""
        while self._times and now - self._times[0] > DEATHS_PERIOD_S:
            self._times.popleft()
        if len(self._times) <= DEATHS_ALLOWED:
            return ""
        return f"the device host died {len(self._times)} times within {DEATHS_PERIOD_S:g} s"
