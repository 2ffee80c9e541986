"""What the Redis door tells."""

from __future__ import annotations

from spanserve.queue import Claimed, End, Ended


class QueueObserver:
    """What happens between the worker and its queue. Override what you want to know of."""

    def tasks_claimed(self, claimed: Claimed, how: str) -> None:
        """Tasks were leased, `new` or `reclaimed`, and entries that are no work were put aside."""

    def tasks_held(self, tasks: int) -> None:
        """So many tasks are leased to this worker now."""

    def queue_seen(self, questions: int) -> None:
        """So many questions are in all live tasks of the queue."""

    def lease_lost(self) -> None:
        """A lease has gone to another worker."""

    def task_ended(self, end: End, outcome: Ended | None) -> None:
        """An end was brought to the queue, which said this; None if it refused it for good."""

    def task_aged(self, end: End, age_s: float) -> None:
        """A task has ended, so many seconds after it was queued."""

    def ends_not_brought(self, tasks: int) -> None:
        """The worker goes, and Redis took the ends of so many tasks not in time: they are given back."""

    def breaker_changed(self, *, closed: bool) -> None:
        """Claims go on, or are stopped."""
