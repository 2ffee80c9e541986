"""The turn of being too large: one task at a time may have more windows than its caller's part of the worker.

Callers that ask while another has the turn are remembered for a while: identities take turns, then their connections,
then the first to ask is first.
"""

from __future__ import annotations

from collections.abc import Callable

from spanserve.engine.account import Account

#: Seconds for which a caller is remembered that asked and had to wait.
ASKED_S = 1.0


class Turn:
    """Which caller has it, and which have asked for it.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        #: Who has it; None: no one.
        self.holder: Account | None = None
        self._clock = clock
        self._asked: dict[Account, float] = {}  # when last, the first to ask first
        self._last = ("", "")  # identity and connection of who had it last

    def is_open_to(self, account: Account) -> bool:
        """Whether it is free, and no other that has asked comes first."""
        if self.holder is not None:
            return False
        now = self._clock()
        self._asked = {one: at for one, at in self._asked.items() if one.open and now - at <= ASKED_S}
        return min((*self._asked, account), key=self._had_last) is account

    def take(self, account: Account) -> bool:
        """Ask for it. Whether it is this caller's now."""
        if self.is_open_to(account):
            self.give(account)
            return True
        self._asked[account] = self._clock()
        return False

    def give(self, account: Account) -> None:
        """It is this caller's now."""
        self._asked.pop(account, None)
        self.holder = account
        self._last = account.caller.path[:2]

    def end(self) -> None:
        """Whoever had it needs it no more."""
        self.holder = None

    def _had_last(self, account: Account) -> tuple[bool, bool]:
        identity, connection, _ = account.caller.path
        return identity == self._last[0], (identity, connection) == self._last
