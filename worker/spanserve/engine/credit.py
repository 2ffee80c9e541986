"""Credit: how many questions each client may have with this worker.

The engine holds a bounded number of windows; a client may only send what the worker granted, so memory stays
flat and cards of different speed share a client's work by themselves. Credit on the wire counts questions;
their cost in windows is estimated from those seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from spanserve.engine.average import MovingAverage

#: Weight of a new task in the moving average of windows per question.
WINDOWS_WEIGHT = 0.05


@dataclass(slots=True, eq=False)
class Account:
    """The credit of one stream, in questions."""

    #: Granted and not used yet; below zero after a task larger than what was left.
    credit: int = 0
    #: Sent, and their results not yet on the wire.
    held: int = 0


class CreditPool:
    """Divides `capacity_windows` among the streams that are open.

    Args:
        idle_windows: what a stream that sends nothing is kept ready for.
    """

    def __init__(self, capacity_windows: int, idle_windows: int) -> None:
        self._capacity = capacity_windows
        self._idle = idle_windows
        self._windows_per_question = MovingAverage(1.0, WINDOWS_WEIGHT)
        self._accounts: set[Account] = set()

    def open(self) -> Account:
        account = Account()
        self._accounts.add(account)
        return account

    def close(self, account: Account) -> None:
        self._accounts.discard(account)

    def observe(self, windows: int, questions: int) -> None:
        """Learn from a task that has been cut into windows."""
        self._windows_per_question.add(windows / questions)

    def take(self, account: Account, questions: int) -> bool:
        """Use credit for a task that has arrived. False if there was none: the task must be refused."""
        if account.credit <= 0:
            return False
        account.credit -= questions
        account.held += questions
        return True

    def charge(self, account: Account, questions: int) -> None:
        """Account for a task that is here already, however much credit there was."""
        account.credit -= questions
        account.held += questions

    def settle(self, account: Account, questions: int) -> None:
        """The results of so many questions are on the wire."""
        account.held -= questions

    def grant(self, account: Account) -> int:
        """Questions this stream may send in addition, 0 if not worth a frame.

        Streams with work share the capacity evenly; a stream without is kept ready for `idle_windows`, so
        that silent clients do not hold back the others.
        """
        active = sum(1 for other in self._accounts if other.held > 0 or other is account)
        share = self._capacity / active
        if account.held == 0:
            share = min(share, max(self._idle, 1)) if active > 1 else share
        target = max(1, int(share / max(self._windows_per_question.value, 1e-3)))
        missing = target - account.held - account.credit
        # Small change is saved up, unless the client can send nothing at all.
        worth_a_frame = missing >= target // 8 or account.credit <= 0
        if missing <= 0 or not worth_a_frame:
            return 0
        account.credit += missing
        return missing
