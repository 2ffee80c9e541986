"""What can go wrong with the queue itself."""

from __future__ import annotations

from spanserve.contract.errors import SpanserveError


class QueueError(SpanserveError):
    """The queue cannot be used as asked. Says what is in the way."""


class QueueBroken(QueueError):
    """What stands under the keys of the queue is not one: it was written by hand. Concerns no other queue."""


class QueueUnavailable(QueueError):
    """Redis did not answer, or not yet: worth another try. Whether the call had its effect is unknown."""


class QueueRefusing(QueueUnavailable):
    """Redis answers, and cannot do it now: it loads, fails over, misses replicas, runs a script, cannot write."""


class NoQueue(QueueUnavailable):
    """Redis answers, but there is no such queue: a worker makes it when it starts. Worth another try."""


class NoScript(QueueRefusing):
    """Redis answers, but has lost a script that this user may not load: a worker does. Worth another try."""


class QueueFull(QueueError):
    """Redis is at `maxmemory` and takes nothing new. Ends still go through."""
