"""Requests that are about to run alone, and the witnesses that must know of it first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from spanserve.engine.request import Request, Row


class Announcer:
    """Asks witnesses, and lets rows wait for them; others do not wait.

    Args:
        resume: takes up the rows of requests that were parked.
    """

    def __init__(self, resume: Callable[[Iterable[Request[Any]]], None]) -> None:
        self._resume = resume

    def announced(self, rows: Sequence[Row]) -> bool:
        """Whether rows of one request may run alone now; if not, they are parked until its witness knows."""
        request = rows[0].question.request
        if request.witness is None or request.announced:
            return True
        if not request.parked:
            request.witness.begins(partial(self._known, request))
        request.parked.extend(rows)
        return False

    def ended(self, rows: Sequence[Row]) -> None:
        """Rows of one request have run alone, with whatever outcome."""
        request = rows[0].question.request
        if request.witness is not None:
            request.announced = False
            request.witness.ended()

    def _known(self, request: Request[Any], wanted: bool) -> None:
        request.announced = True
        request.cancelled = request.cancelled or not wanted
        if not request.paused:
            self._resume([request])
