"""Something outside this process that can record what it died of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Witness(Protocol):
    """Notified before a suspect has a part of the worker to itself, and when the worker has survived that.

    What was begun and never ended is what the worker died of.
    """

    def begins(self, known: Callable[[bool], None]) -> None:
        """The request is about to begin; it waits for `known`, which is called with whether it is still wanted.

        May be called again before that.
        """

    def ended(self) -> None:
        """It has ended, in whatever way. No effect if it had not begun."""
