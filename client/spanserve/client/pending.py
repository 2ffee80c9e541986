"""Tasks of a client that have no result yet: one deque that every worker's connection takes from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from spanserve.contract import Task
from spanserve.contract.limits import MAX_ATTEMPTS, MAX_FRAME_BYTES, MAX_TASKS_PER_FRAME

#: Bytes a task adds to a frame besides its own: tag and length.
_TASK_OVERHEAD = 8


class Pending:
    """A deque of tasks that tells its watchers when it changes. For one event loop."""

    def __init__(self) -> None:
        self._tasks: deque[Task] = deque()
        self._watchers: list[asyncio.Event] = []
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def closed(self) -> bool:
        return self._closed

    def add(self, tasks: Iterable[Task]) -> None:
        """Queue new tasks."""
        self._tasks.extend(tasks)
        self._notify()

    def give_back(self, tasks: Iterable[Task], *, suspect: bool) -> None:
        """Queue tasks again, ahead of all others.

        Args:
            suspect: whether they were with a worker that broke down, and one of them may be why. The next
                worker then runs them in smaller batches. The count stops where a task runs alone: only
                a worker that saw it fail alone may give it up.
        """
        for task in tasks:
            attempt = min(task.attempt + 1, MAX_ATTEMPTS) if suspect else task.attempt
            self._tasks.appendleft(replace(task, attempt=attempt))
        self._notify()

    def take(self, credit: int) -> list[tuple[Task, bytes]]:
        """Tasks for one frame, serialised, while credit (in questions) lasts and the frame has room."""
        taken: list[tuple[Task, bytes]] = []
        size = 0
        while self._tasks and credit > 0 and len(taken) < MAX_TASKS_PER_FRAME:
            data = self._tasks[0].to_bytes()
            size += len(data) + _TASK_OVERHEAD
            if taken and size > MAX_FRAME_BYTES // 2:
                break
            task = self._tasks.popleft()
            credit -= len(task.questions)
            taken.append((task, data))
        return taken

    def close(self) -> None:
        """No task will come any more: every result is there, or nobody wants them."""
        self._closed = True
        self._notify()

    def watch(self, event: asyncio.Event) -> None:
        """Set `event` whenever something is added, given back or closed."""
        self._watchers.append(event)

    def _notify(self) -> None:
        for event in self._watchers:
            event.set()
