"""The account of one caller: what it holds of the worker, in questions and in windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from spanserve.engine.average import MovingAverage
from spanserve.engine.caller import ANYONE, Caller

#: Weight of a new task in the moving average of windows per question.
WINDOWS_WEIGHT = 0.05


def nobody() -> None:
    """Report nothing."""


@dataclass(slots=True, eq=False)
class Account:
    """What one caller has."""

    caller: Caller = ANYONE
    #: Called when a caller that waited has credit.
    wake: Callable[[], None] = nobody
    #: Questions granted and not used yet; below zero after a task larger than what was left.
    credit: int = 0
    #: Of those, granted while it waited, and not told yet.
    offered: int = 0
    #: Whether it works by credit, and takes more when it can.
    wants: bool = False
    #: Windows kept free for the credit.
    promised: int = 0
    #: Windows of what was sent, and whose results are not yet on the wire.
    held: int = 0
    #: When the promise was made or used last.
    touched: float = 0.0
    open: bool = True
    #: Whether it has a part in the capacity.
    contends: bool = False
    windows_per_question: MovingAverage = field(default_factory=lambda: MovingAverage(1.0, WINDOWS_WEIGHT))

    @property
    def ready(self) -> int:
        """Questions it may send for which room is kept."""
        return max(0, min(self.credit, int(self.promised / self.windows_per_question.value)))
