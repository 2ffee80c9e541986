"""The mark on a leased task: Redis knows what this worker may be about to die of."""

from __future__ import annotations

from collections.abc import Callable

from spanserve.doors.redis.finisher import Finisher
from spanserve.queue import JobId


class Mark:
    """The witness of one task; the engine notifies it when the task runs alone, see `Witness`.

    Only a suspect costs a call to Redis before it begins, and another when it has ended.
    """

    def __init__(self, finisher: Finisher, job: JobId) -> None:
        self._finisher = finisher
        self._job = job
        self._begun = False

    def begins(self, known: Callable[[bool], None]) -> None:
        """Set the mark; `known` is called when Redis has it, with whether the job has not ended meanwhile."""
        self._begun = True
        self._finisher.mark(self._job, known)

    def ended(self) -> None:
        """Take the mark away, if it was set."""
        if self._begun:
            self._begun = False
            self._finisher.unmark(self._job)
