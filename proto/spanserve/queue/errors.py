"""What can go wrong with the queue itself."""

from __future__ import annotations

from spanserve.contract.errors import SpanserveError


class QueueError(SpanserveError):
    """The queue cannot be used as asked. Says why."""


class QueueBroken(QueueError):
    """The keys of the queue hold something else: it was written by hand. Other queues are not affected."""


class QueueUnavailable(QueueError):
    """Redis did not answer, or not yet: worth another try. Whether the call had its effect is unknown."""


class QueueRefusing(QueueUnavailable):
    """Redis answers, but cannot do it now: it loads, fails over, lacks replicas, runs a script or cannot write."""


class NoQueue(QueueUnavailable):
    """Redis answers, but there is no such queue: a worker creates it when it starts. Worth another try."""

    @classmethod
    def named(cls, name: str) -> NoQueue:
        """What to do about it, too: who has just begun may not know that a worker has to be told of Redis."""
        return cls(
            f"queue {name} does not exist: a worker creates it when it starts "
            f"(spanserve worker --redis URL --queue {name})"
        )


class NoScript(QueueRefusing):
    """Redis answers, but has lost a script that this user may not load: a worker does. Worth another try."""


class QueueFull(QueueError):
    """Redis is at `maxmemory` and takes nothing new. Ends still go through."""
