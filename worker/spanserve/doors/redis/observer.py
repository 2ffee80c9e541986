"""What the Redis door reports."""

from __future__ import annotations

from spanserve.queue import Claimed, End, Ended


class QueueObserver:
    """What happens between the worker and one of its queues. Override what you want to know of."""

    def queue_opened(self, queue: str) -> None:
        """A door to this queue was made."""

    def tasks_claimed(self, queue: str, claimed: Claimed, how: str) -> None:
        """Tasks were leased, `new` or `reclaimed`; entries that are not work, or in another version, were put aside."""

    def tasks_held(self, queue: str, tasks: int) -> None:
        """So many tasks are leased to this worker now."""

    def queue_seen(self, queue: str, questions: int) -> None:
        """So many questions are in all live tasks of the queue."""

    def lease_lost(self, queue: str) -> None:
        """A lease has gone to another worker."""

    def task_ended(self, queue: str, end: End, outcome: Ended | None) -> None:
        """An end was brought to the queue, with this outcome; None if the queue refused it for good."""

    def task_aged(self, queue: str, end: End, age_s: float) -> None:
        """A task has ended, so many seconds after it was queued."""

    def ends_not_brought(self, queue: str, tasks: int) -> None:
        """The worker leaves, and Redis did not take the ends of so many tasks in time: they are given back."""

    def dead_letters_seen(self, queue: str, tasks: int, dropped: int) -> None:
        """There are so many dead letters; so many were dropped because there were too many."""

    def trouble_changed(self, queue: str, *, well: bool) -> None:
        """The queue cannot be used, or can again."""

    def breaker_changed(self, queue: str, *, closed: bool) -> None:
        """Claims go on, or are stopped."""
