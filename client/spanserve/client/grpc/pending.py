"""Tasks of a client that have no result yet: one deque that every worker's connection takes from.

    waiting --take--> held by a worker --end--> (gone)
       ^--- give back ---'   |   ^
                             '---'  near the end: by another worker as well

Once nothing waits any more and nothing new will come, a worker that holds nothing takes tasks that another one
has held for longer than answers take: that one may be slow, or stuck. The first result counts, and workers that still
hold the task are told.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Protocol

from spanserve.contract import Task
from spanserve.contract.limits import MAX_ATTEMPTS, MAX_FRAME_BYTES, MAX_TASKS_PER_FRAME

#: Bytes a task adds to a frame besides its own: tag and length.
_TASK_OVERHEAD = 8
#: A task is late after this many times the median answer time, but not before this many seconds.
LATE_FACTOR = 3.0
LATE_S = 1.0
#: Seconds before a task is late that two workers hold, or whose answer time is not known.
VERY_LATE_S = 10.0
#: Tasks that a worker may hold in any case: near the end, and where others never connect, batches stay full.
LEAST_SHARE = 32
#: Answers whose median counts.
_ANSWERS = 256


class Taker(Protocol):
    """What takes tasks: the connection to one worker."""

    @property
    def load(self) -> int:
        """Tasks that it holds."""

    @property
    def wake(self) -> asyncio.Event:
        """Set whenever there may be something to do."""

    def withdraw(self, task_id: str) -> None:
        """Hold a task no longer: another taker has its result."""


@dataclass(slots=True)
class _Open:
    """A task without a result. It waits while no worker holds it."""

    task: Task
    holders: dict[Taker, float] = field(default_factory=dict)  # when each took it


class Pending:
    """A deque of tasks that tells its takers when it changes. For one event loop.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: deque[str] = deque()
        self._open: dict[str, _Open] = {}
        self._answer_times: deque[float] = deque(maxlen=_ANSWERS)
        self._takers: list[Taker] = []
        self._complete = False
        self._closed = False
        #: Tasks that were taken from another worker that still holds them.
        self.copies = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def closed(self) -> bool:
        return self._closed

    def add(self, tasks: Iterable[Task]) -> None:
        """Queue new tasks; their ids are new."""
        for task in tasks:
            self._open[task.id] = _Open(task)
            self._waiting.append(task.id)
        self._notify()

    def complete(self) -> None:
        """No new task will come: a worker without tasks may take what others hold."""
        self._complete = True
        self._notify()

    def give_back(self, taker: Taker, tasks: Iterable[Task], *, suspect: bool) -> None:
        """Queue tasks again, ahead of all others, unless another worker holds them or has ended them.

        Args:
            suspect: whether they were with a worker that broke down, and one of them may be the cause. The next
                worker then runs them in smaller batches. The count stops where a task runs alone: only
                a worker that saw it fail alone may give it up.
        """
        for task in tasks:
            found = self._open.get(task.id)
            if found is None:
                continue
            attempt = min(task.attempt + 1, MAX_ATTEMPTS) if suspect else task.attempt
            found.task = replace(task, attempt=max(attempt, found.task.attempt))
            del found.holders[taker]
            if not found.holders:
                self._waiting.appendleft(task.id)
        self._notify()

    def take(self, taker: Taker, credit: int) -> list[tuple[Task, bytes]]:
        """Tasks for one frame, serialised, while credit (in questions) lasts and the frame has room.

        When none wait or will come, and the taker holds nothing: copies of what is late with others. Of those
        it gets every second one, the oldest first, so that the one that has them goes on with the others.
        What waits is shared out once no more will come: who connects first would take a small run alone.
        """
        copying = self._complete and credit > 0 and not self._waiting and not taker.load
        now = self._clock()
        source = deque(self._late(now)[::2]) if copying else self._waiting
        share = max(LEAST_SHARE, math.ceil(len(self._open) / max(1, len(self._takers))))
        room = MAX_TASKS_PER_FRAME if copying or not self._complete else share - taker.load
        taken: list[tuple[Task, bytes]] = []
        size = 0
        while source and credit > 0 and len(taken) < min(room, MAX_TASKS_PER_FRAME):
            found = self._open[source[0]]
            data = found.task.to_bytes()
            size += len(data) + _TASK_OVERHEAD
            if taken and size > MAX_FRAME_BYTES // 2:
                break
            source.popleft()
            credit -= len(found.task.questions)
            found.holders[taker] = now
            taken.append((found.task, data))
        self.copies += len(taken) if copying else 0
        return taken

    def end(self, taker: Taker, task_id: str) -> bool:
        """Note a result. False if the task has had one; that of the first taker counts."""
        found = self._open.pop(task_id, None)
        if found is None:
            return False
        if taker in found.holders:
            self._answer_times.append(self._clock() - found.holders[taker])
        for other in found.holders:
            if other is not taker:
                other.withdraw(task_id)
        return True

    def close(self) -> None:
        """Every result has arrived, or they are no longer wanted."""
        self._closed = True
        self._notify()

    def watch(self, taker: Taker) -> None:
        """Wake this taker whenever there may be something for it to do: who holds least comes first."""
        self._takers.append(taker)

    def _late(self, now: float) -> list[str]:
        """Tasks, all of them held, that the last worker to take them has had for too long.

        Every further worker gets twice the time: what hangs devices comes to few workers until it is given up.
        """
        known = len(self._answer_times) > 0
        late = max(LATE_S, LATE_FACTOR * median(self._answer_times)) if known else VERY_LATE_S
        found = []
        for name, task in self._open.items():
            further = len(task.holders) - 1
            limit = late if not further else max(late, VERY_LATE_S) * 2.0 ** (further - 1)
            if now - max(task.holders.values()) > limit:
                found.append(name)
        return found

    def _notify(self) -> None:
        for taker in sorted(self._takers, key=lambda taker: taker.load):
            taker.wake.set()
