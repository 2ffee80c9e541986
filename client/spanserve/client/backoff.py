"""How long to wait before the next try: full jitter, so that many clients do not come back at once.

Source: "Exponential Backoff And Jitter", M. Brooker, AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random

#: Seconds: the mean of the first wait is half of FIRST_S, no wait is longer than LONGEST_S.
FIRST_S = 0.05
LONGEST_S = 10.0


class Backoff:
    """Waits that double until something succeeds.

    Args:
        chance: source of the jitter.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._tries = 0

    def next_s(self) -> float:
        """Seconds to wait before the next try."""
        limit = min(LONGEST_S, FIRST_S * 2.0**self._tries)
        if limit < LONGEST_S:  # no further: the power would overflow one day
            self._tries += 1
        return self._chance.uniform(0, limit)

    def reset(self) -> None:
        """A try has succeeded."""
        self._tries = 0
