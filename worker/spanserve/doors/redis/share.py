"""Weights of the two priorities: how many of the next tasks may be interactive before bulk has its turn."""

from __future__ import annotations

#: Of so many tasks claimed while both kinds wait ...
TURN = 4
#: ... this many are interactive. Bulk has at least the rest, so it never starves.
INTERACTIVE = 3


class Share:
    """Divides claims of any size by the weights, exactly over time."""

    def __init__(self) -> None:
        self._owed = 0  # quarters of a task that interactive has coming

    def of(self, count: int) -> int:
        """How many of the next `count` tasks may be interactive before bulk."""
        self._owed += INTERACTIVE * count
        share, self._owed = divmod(self._owed, TURN)
        return share
