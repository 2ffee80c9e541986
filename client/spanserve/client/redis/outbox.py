"""What a client has to submit: its new tasks, and those that have had no end for suspiciously long."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice

from spanserve.contract import Task
from spanserve.queue.calls import MAX_PIPELINE

#: Seconds between two looks at tasks without an end, a pipeline of them each: the queue has other work to do.
PROBE_INTERVAL_S = 0.25


class Outbox:
    """Tasks of a run until they end.

    Submitting again is free: the queue knows a task by its id. It finds what Redis has lost in a restart, what
    an operator has deleted, and ends whose event was lost. What may have been lost goes first.

    Args:
        tasks: with ids of their own.
        resubmit_s: seconds after which a task without an end is submitted again.
    """

    def __init__(self, tasks: Iterable[Task], resubmit_s: float) -> None:
        self._new = deque(tasks)
        #: Task id -> task, of all that have no end yet.
        self.waiting = {task.id: task for task in self._new}
        self._resubmit_s = resubmit_s
        self._asked: dict[str, float] = {}  # task id -> when the queue last had it, oldest first
        self._tried: set[str] = set()
        self._next_probe = -math.inf

    @property
    def unsent(self) -> int:
        """Tasks that are not in the queue yet."""
        return len(self._new)

    @property
    def tried(self) -> list[Task]:
        """Tasks without an end that are in the queue, or may be."""
        return [task for task in self.waiting.values() if task.id in self._tried]

    def take(self, now: float) -> list[Task]:
        """What to submit next, a pipeline at most; none for the moment."""
        batch = self._due(now)
        while self._new and len(batch) < MAX_PIPELINE:
            task = self._new.popleft()
            if task.id in self.waiting:
                batch.append(task)
        self._tried.update(task.id for task in batch)
        return batch

    def give_back(self, tasks: Sequence[Task]) -> None:
        """Tasks that were taken and are to be submitted again, ahead of all others."""
        self._new.extendleft(reversed(tasks))

    def asked(self, task: Task, now: float) -> None:
        """The queue has a task."""
        self._asked.pop(task.id, None)
        if task.id in self.waiting:
            self._asked[task.id] = now

    def end(self, task_id: str) -> bool:
        """A task has ended; whether it had not before."""
        self._asked.pop(task_id, None)
        return self.waiting.pop(task_id, None) is not None

    def doubt(self) -> None:
        """Redis was away: it may have forgotten anything."""
        self._asked = dict.fromkeys(self._asked, -math.inf)

    def _due(self, now: float) -> list[Task]:
        oldest = next(iter(self._asked.values()), math.inf)
        doubtful = oldest == -math.inf
        if not doubtful and (now < self._next_probe or now - oldest < self._resubmit_s):
            return []
        self._next_probe = now + PROBE_INTERVAL_S
        first = islice(self._asked.items(), MAX_PIPELINE)
        return [self.waiting[name] for name, at in first if now - at >= self._resubmit_s]
