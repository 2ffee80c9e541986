"""What takes tasks from a client's deque, and the time, for its tests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from spanserve.client.grpc.pending import Pending
from spanserve.contract import Question, Task
from tests.kit.clock import Clock


@dataclass(slots=True, eq=False)
class Worker:
    """A taker that keeps what it has taken, as a connection does."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    held: dict[str, Task] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)

    @property
    def load(self) -> int:
        return len(self.held)

    def withdraw(self, task_id: str) -> None:
        del self.held[task_id]
        self.withdrawn.append(task_id)

    def take(self, pending: Pending, credit: int) -> list[str]:
        """Take tasks; their ids."""
        found = [task for task, _ in pending.take(self, credit)]
        self.held.update((task.id, task) for task in found)
        return [task.id for task in found]

    def answer(self, pending: Pending, task_id: str) -> bool:
        """Bring a result; whether it was the first."""
        self.held.pop(task_id, None)
        return pending.end(self, task_id)

    def lose(self, pending: Pending, *names: str, suspect: bool = False) -> None:
        """Give tasks back, all if none is named."""
        lost = [self.held.pop(name) for name in names or tuple(self.held)]
        pending.give_back(self, lost, suspect=suspect)


def task(name: str, questions: int = 1, *, size: int = 1, attempt: int = 1) -> Task:
    asked = tuple(Question(f"q{number}", "who") for number in range(questions))
    return Task(id=name, context="c" * size, questions=asked, attempt=attempt)


def pending_of(*tasks: Task, clock: Clock | None = None) -> Pending:
    pending = Pending(clock or Clock(0.0))
    pending.add(tasks)
    return pending


def taken(pending: Pending, credit: int) -> list[str]:
    return Worker().take(pending, credit)
