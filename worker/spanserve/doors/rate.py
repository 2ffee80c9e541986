"""How often a caller may make calls that are open to all."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable


class RateLimit:
    """So many calls a second and key, some more at once.

    Args:
        per_s: calls a second.
        burst: calls at once.
        keys: that are remembered; the one that has been silent for longest is forgotten first.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        per_s: float = 20.0,
        burst: float = 100.0,
        *,
        keys: int = 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_s = per_s
        self._burst = burst
        self._keys = keys
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, key: str) -> bool:
        """Whether this call may go on."""
        now = self._clock()
        left, at = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        allowed = left >= 1
        self._left[key] = (left - allowed, now)
        if len(self._left) > self._keys:
            self._left.popitem(last=False)
        return allowed
