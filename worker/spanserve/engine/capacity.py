"""Capacity: how many windows each caller may have with this worker, held or promised, and who waits for some.

What a worker holds is bounded, so memory stays flat and cards of different speed share a client's work by
themselves. Credit on the wire counts questions and cannot be taken back. So a caller that sends nothing is promised
little, and room is kept for every promise: what is promised and held together never exceeds the capacity. A promise
that is not used for a while lapses when others wait: the credit stands, but a caller that uses it then takes what is
free, or is refused for the moment.

Tasks are not cut, and one may have more windows than its connection's part, or than the whole capacity. Only one such
task is let in at a time, and what it has beyond its share takes nothing from the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from spanserve.contract import ErrorCode, Refusal
from spanserve.engine.account import Account, nobody
from spanserve.engine.caller import ANYONE, Caller
from spanserve.engine.turn import Turn

#: Seconds after which a promise that is not used lapses, if others wait.
PROMISE_S = 1.0
#: Milliseconds after which a caller that sent beyond its credit may come back.
OVERRUN_RETRY_MS = 1000
#: The same, for one that finds no room.
BUSY_RETRY_MS = 100


class Capacity:
    """Divides `windows` among the accounts that are open.

    Args:
        slack: how far the last tasks of all callers together may go beyond what is left.
        clock: seconds, monotonic.
    """

    def __init__(self, windows: int, slack: int, clock: Callable[[], float]) -> None:
        self.windows = windows
        self.slack = slack
        #: Held and promised.
        self.used = 0
        self._clock = clock
        self._next_lapse = clock()
        self._line: dict[Account, None] = {}  # who waits, the first to come first
        #: Callers that have work here, and perhaps less than their part for want of room.
        self._short: dict[Account, None] = {}
        self._accounts: set[Account] = set()
        self._contenders: dict[str, dict[str, set[Account]]] = {}
        self._weights: dict[str, float] = {}
        self._had: dict[tuple[str, ...], int] = {}  # windows of identities and connections, held and promised
        #: Whose task is larger than its part.
        self.turn = Turn(clock)

    @property
    def waiting(self) -> int:
        """Callers that wait for credit."""
        return len(self._line)

    @property
    def room(self) -> int:
        """Windows that are neither held nor promised; below zero after tasks larger than what was left."""
        room = self.windows - self.used
        return room if self.turn.holder is None else room + self._beyond(self.turn.holder)

    def room_of(self, account: Account) -> int:
        """The room that a caller finds: what the one with the turn has beyond its part is room for others only."""
        holder = self.turn.holder
        own = holder is not None and holder.caller.path[:2] == account.caller.path[:2]
        return self.windows - self.used if own else self.room

    def open(self, caller: Caller = ANYONE, wake: Callable[[], None] = nobody) -> Account:
        account = Account(caller, wake, touched=self._clock())
        self._accounts.add(account)
        return account

    def close(self, account: Account, running: int = 0) -> None:
        """The caller has gone.

        Args:
            running: windows of its tasks that are still being computed; `settle` them later.
        """
        if not account.open:
            return
        account.open = False
        self._accounts.discard(account)
        self._line.pop(account, None)
        self._short.pop(account, None)
        self._promise(account, 0)
        self._hold(account, running - account.held)
        self.serve()

    def take(self, account: Account, questions: int, windows: int) -> None:
        """Use credit for a task that has arrived.

        Args:
            windows: that it will be cut into, as far as can be told.

        Raises:
            Refusal: RESOURCE_EXHAUSTED; nothing was taken. It had no credit, or comes too late with it.
        """
        if account.credit <= 0:
            raise Refusal(
                ErrorCode.RESOURCE_EXHAUSTED, "sent without credit", retry_after_ms=OVERRUN_RETRY_MS
            )
        if windows > account.promised and not self._spare(account, windows):
            self._wait(account)
            raise Refusal(
                ErrorCode.RESOURCE_EXHAUSTED,
                "the worker has no room for it now",
                retry_after_ms=BUSY_RETRY_MS,
            )
        self.charge(account, questions, windows)

    def charge(self, account: Account, questions: int, windows: int) -> None:
        """Account for a task that is here already, however much credit there was."""
        account.windows_per_question.add(windows / max(1, questions))
        account.touched = self._clock()
        account.credit -= questions
        promised = max(0, account.promised - windows) if account.credit > 0 else 0
        self._use(account, windows + promised - account.promised)
        account.held += windows
        account.promised = promised
        self._contend(account)
        self._want(account)
        self._exceed(account)

    def correct(self, account: Account, windows: int) -> None:
        """A task holds so many windows more, or fewer, than was thought."""
        if windows:
            self._hold(account, windows)
            self._exceed(account)
            if windows < 0:
                self.serve()

    def settle(self, account: Account, windows: int) -> None:
        """The results of so many windows are on the wire: who had them may have others in their place."""
        self._hold(account, -windows)
        self._want(account)
        self.serve()

    def grant(self, account: Account) -> int:
        """Questions this caller may send in addition, 0 if not worth a frame. Without any credit, it waits for some.

        Callers with work share the capacity: identities by their weights, then connections, then streams, evenly.
        One without work gets half of what is free, so that the next to come finds some, too.
        """
        more = self._grant(account)
        if account in self._line and self.turn.holder is not None:
            self.serve()  # now that it waits it has a part
        more, account.offered = more + account.offered, 0
        return more

    def forgo(self, account: Account) -> None:
        """Take its credit away: for a caller that does not rely on it, as it can ask again at any time."""
        account.credit = min(0, account.credit)
        account.wants = False
        self._promise(account, 0)
        self._leave_line(account)
        self._short.pop(account, None)
        self.serve()

    def serve(self) -> None:
        """Give what is free to those who wait, the one with least first."""
        if not self._line or not self.has_room():
            return
        for account in sorted(self._line, key=self.has):
            self._offer(account)
            if self.room < 1:
                return

    def serve_before(self, other: Account) -> bool:
        """Give what is free to a caller that is short of its part and has less than another. Whether it took some."""
        if not self.has_room():
            return False
        has = self.has(other)
        return any(
            self._offer(account) for account in sorted(self._short, key=self.has) if self.has(account) < has
        )

    def has_room(self) -> bool:
        """Whether something is free; if not, unused promises lapse."""
        if self.room < 1:
            self._lapse()
        return self.room >= 1

    def _offer(self, account: Account) -> bool:
        more = self._grant(account)
        account.offered += more
        if more:
            account.wake()
        return more > 0

    def _grant(self, account: Account) -> int:
        if not account.open:
            return 0
        account.wants = True
        per = max(account.windows_per_question.value, 1e-3)
        share = self._share(account)
        if account.held and self.room < self.windows // 8:
            self._lapse()
            share = self._share(account)
        free = self.room + account.promised
        if not account.held:
            share = min(share, max(1, free // 2))
        target = max(1, int(share / per))
        fits = int(free / per)
        alone = self.used == account.promised
        if alone or (free >= 1 and account.credit <= 0 and per <= self.slack):
            fits = max(fits, 1)  # as a task is not cut: alone, however many windows it has
        missing = target - round(account.held / per) - account.credit
        # Small change is saved up, unless the client can send nothing at all.
        worth_a_frame = missing >= target // 8 or account.credit <= 0
        more = max(0, min(missing, fits - account.credit)) if worth_a_frame else 0
        if more:
            account.credit += more
            account.touched = self._clock()
        wanted = math.ceil(max(0, min(account.credit, target)) * per)
        self._promise(account, max(0, min(free, wanted)))
        if account.promised:
            self._leave_line(account)
        elif account.credit <= 0 and more < missing:
            self._wait(account)
        if account.held and worth_a_frame and more < missing:
            self._short[account] = None
        else:
            self._short.pop(account, None)
        return more

    def _spare(self, account: Account, windows: int) -> bool:
        """Whether a task may take more than was promised.

        The last task of a promise may, as a task is not cut; other credit is late, and those who wait come first.
        What does not fit into its connection's part, or into what is left, is for one at a time.
        """
        others_wait = bool(self._line.keys() - {account})
        in_time = account.promised > 0 or not others_wait
        room = self.room
        if not in_time or room < -self.slack:
            return False
        part, _ = self._part(account)
        had = self._had.get(account.caller.path[:2], 0) - account.promised
        fits = had + windows <= part + self.slack and windows <= room + account.promised + self.slack
        return fits or self.turn.take(account)

    def _exceed(self, account: Account) -> None:
        """Note whose tasks are more than its part: they came that way, or were estimated too low."""
        if self.used > self.windows and self.turn.holder is None and self.excess(account) > self.slack:
            self.turn.give(account)

    def _beyond(self, holder: Account) -> int:
        """Windows that a caller has beyond its share, and that take nothing from the others."""
        beyond = self.excess(holder)
        if beyond <= 0:
            self.turn.end()
        return max(0, beyond)

    def excess(self, account: Account) -> int:
        """Windows that its connection has beyond its part."""
        part, _ = self._part(account)
        return self._had.get(account.caller.path[:2], 0) - int(part)

    def _lapse(self) -> None:
        """Take back the room of unused promises."""
        now = self._clock()
        if now < self._next_lapse:
            return
        self._next_lapse = now + PROMISE_S / 8
        for account in self._accounts:
            if account.promised and account.touched <= now - PROMISE_S:
                self._promise(account, 0)

    def _want(self, account: Account) -> None:
        """It may be short of its part, if it works by credit: `_grant` finds out."""
        if account.open and account.wants:
            self._short[account] = None

    def _wait(self, account: Account) -> None:
        if account.open and account not in self._line:
            self._line[account] = None
            self._contend(account)

    def _leave_line(self, account: Account) -> None:
        if account in self._line:
            del self._line[account]
            self._contend(account)

    def _promise(self, account: Account, windows: int) -> None:
        if windows != account.promised:
            self._use(account, windows - account.promised)
            account.promised = windows
            self._contend(account)

    def _hold(self, account: Account, windows: int) -> None:
        account.held += windows
        self._use(account, windows)
        self._contend(account)

    def _use(self, account: Account, windows: int) -> None:
        if not windows:
            return
        self.used += windows
        identity, connection, _ = account.caller.path
        for key in ((identity,), (identity, connection)):
            had = self._had[key] = self._had.get(key, 0) + windows
            if not had:
                del self._had[key]

    # --- shares ------------------------------------------------------------------------------------------

    def _contend(self, account: Account) -> None:
        """Note whether this account has a part in the capacity: who holds, was promised or waits has."""
        contends = bool(account.held or account.promised or account in self._line)
        if contends == account.contends:
            return
        account.contends = contends
        identity, connection, _ = account.caller.path
        connections = self._contenders.setdefault(identity, {})
        streams = connections.setdefault(connection, set())
        if contends:
            streams.add(account)
            self._weights[identity] = account.caller.weight
            return
        streams.discard(account)
        if not streams:
            del connections[connection]
        if not connections:
            del self._contenders[identity]
            self._weights.pop(identity, None)

    def _share(self, account: Account) -> float:
        """Windows that are this account's part."""
        part, streams = self._part(account)
        return part / streams

    def _part(self, account: Account) -> tuple[float, int]:
        """Windows that are the part of its connection, and how many streams share it."""
        identity, connection, _ = account.caller.path
        mine = self._contenders.get(identity, {})
        own = mine.get(connection, set())
        weights = sum(self._weights.values()) + (0 if mine else account.caller.weight)
        connections = len(mine) + (not own)
        streams = len(own) + (account not in own)
        return self.windows * account.caller.weight / weights / connections, streams

    def has(self, account: Account) -> tuple[float, float, float]:
        """What it has already: its identity, by weight, its connection, and itself."""
        identity, connection, _ = account.caller.path
        of_identity = self._had.get((identity,), 0) / account.caller.weight
        return of_identity, self._had.get((identity, connection), 0), account.held + account.promised
