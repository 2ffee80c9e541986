"""The line of single calls that wait for room: bounded, and its places are shared like everything else.

Where it is full, a newcomer takes the place of the last call of the caller with most in it, unless that is its own:
no caller keeps others out by waiting often.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from spanserve.contract import Refusal
from spanserve.engine.account import Account

#: Calls that wait, of one connection and of all.
CALLS_OF_ONE = 64
CALLS = 512


class WaitingCall:
    """A single call that waits for room."""

    __slots__ = ("account", "admitted", "beside", "windows")

    def __init__(self, account: Account, windows: int) -> None:
        self.account = account
        self.windows = windows
        #: Windows for which it is let in although there is no room.
        self.beside = 0
        #: Done when it is let in, or not.
        self.admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def let_in(self) -> bool:
        """Whether it was let in, whatever has become of it since."""
        ended = self.admitted.done() and not self.admitted.cancelled()
        return ended and self.admitted.exception() is None


class Line:
    """Those who wait, the first to come first.

    Args:
        full: the refusal of a call for which there is no place.
    """

    def __init__(self, full: Callable[[], Refusal]) -> None:
        self._full = full
        self._calls: dict[WaitingCall, None] = {}
        self._accounts: dict[Account, dict[WaitingCall, None]] = {}
        self._sizes: Counter[int] = Counter()  # windows -> calls
        self._counts: dict[str, Counter[str]] = {}  # identity -> connection -> calls

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def sizes(self) -> tuple[int, int]:
        """Windows of the smallest and of the largest call. At least one must wait."""
        return min(self._sizes), max(self._sizes)

    def check(self, account: Account) -> None:
        """Check whether there is a place for a call.

        Raises:
            Refusal: RESOURCE_EXHAUSTED: there is none.
        """
        identity, connection, _ = account.caller.path
        crowded = self._counts.get(identity, Counter())[connection] >= CALLS_OF_ONE
        if crowded or (len(self._calls) >= CALLS and self._last(account) is None):
            raise self._full()

    def join(self, call: WaitingCall) -> None:
        """Let a call wait; if there are too many, one of the caller with most is refused.

        Raises:
            Refusal: RESOURCE_EXHAUSTED: there is no place for it.
        """
        self.check(call.account)
        if len(self._calls) >= CALLS and (last := self._last(call.account)) is not None:
            self.leave(last)
            if not last.admitted.done():
                last.admitted.set_exception(self._full())
        identity, connection, _ = call.account.caller.path
        self._counts.setdefault(identity, Counter())[connection] += 1
        self._calls[call] = None
        self._accounts.setdefault(call.account, {})[call] = None
        self._sizes[call.windows] += 1

    def leave(self, call: WaitingCall) -> None:
        """It waits no more, for whatever reason."""
        if call not in self._calls:
            return
        del self._calls[call]
        del self._accounts[call.account][call]
        if not self._accounts[call.account]:
            del self._accounts[call.account]
        self._sizes[call.windows] -= 1
        if not self._sizes[call.windows]:
            del self._sizes[call.windows]
        identity, connection, _ = call.account.caller.path
        counts = self._counts[identity]
        counts[connection] -= 1
        if not counts[connection]:
            del counts[connection]
        if not counts:
            del self._counts[identity]

    def first(
        self, has: Callable[[Account], Any], may: Callable[[WaitingCall], bool] = lambda call: True
    ) -> WaitingCall | None:
        """The call that goes next: of those that still wait, and `may` go, the one that `has` least."""
        found = None
        for account, calls in self._accounts.items():
            # A call that has given up is in the line until its task has had a turn.
            call = next((one for one in calls if not one.admitted.done() and may(one)), None)
            if call is not None and (found is None or has(account) < has(found.account)):
                found = call
        return found

    def _last(self, account: Account) -> WaitingCall | None:
        """The last call of the caller with most, if those are more than a newcomer of this account will have."""
        identity, connection, _ = account.caller.path
        own = self._counts.get(identity, Counter())
        name, counts = max(self._counts.items(), key=lambda entry: entry[1].total())
        most = max(counts.values())
        more = most > own[connection] + 1 if name == identity else counts.total() > own.total() + 1
        if not more:
            return None
        paths = {(name, other) for other, calls in counts.items() if calls == most}
        return next(call for call in reversed(self._calls) if call.account.caller.path[:2] in paths)
