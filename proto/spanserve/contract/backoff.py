"""How long to wait before the next try: full jitter, so that many clients do not come back at once.

Source: "Exponential Backoff And Jitter", M. Brooker, AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random

#: Seconds: the mean of the first wait is half of FIRST_S, no wait is longer than LONGEST_S unless set otherwise.
FIRST_S = 0.05
LONGEST_S = 10.0


class Backoff:
    """Waits that double until something succeeds.

    Args:
        longest_s: no wait is longer.
        first_s: the first wait is not longer.
        chance: source of the jitter; one of its own if None.
    """

    def __init__(
        self, longest_s: float = LONGEST_S, first_s: float = FIRST_S, *, chance: random.Random | None = None
    ) -> None:
        self._chance = chance or random.Random()  # noqa: S311 - jitter, no secret
        self._longest_s = longest_s
        self._first_s = first_s
        self._tries = 0

    def next_s(self) -> float:
        """Seconds to wait before the next try."""
        limit = min(self._longest_s, self._first_s * 2.0**self._tries)
        if limit < self._longest_s:  # no further: the power would overflow one day
            self._tries += 1
        return self._chance.uniform(0, limit)

    def reset(self) -> None:
        """A try has succeeded."""
        self._tries = 0
