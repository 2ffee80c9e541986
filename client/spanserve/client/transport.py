"""What the Python API and an evaluation need from a way to reach workers.

`spanserve.client.grpc` and `spanserve.client.redis` are two, `spanserve.client.testing` has one without a network. A
new one is a folder next to them, and must pass tests/integration/client/test_transports.py.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Protocol

from spanserve.client.errors import ClientError
from spanserve.contract import Task, TaskResult, WorkerStatus

#: What workers report about themselves, by address or name.
Described = dict[str, WorkerStatus]


def _silence() -> None:
    """Report nothing."""


class Stream(Protocol):
    """Tasks in, results out; for one run."""

    def run(self, tasks: Iterable[Task]) -> AsyncGenerator[list[TaskResult]]:
        """Yield results in any order, available ones together, until every task has exactly one.

        Closing the generator early withdraws what has no result yet, unless it is kept; see `Transport.stream`.

        Raises:
            ClientError: two tasks have the same id.
            NoWorker: no worker could be reached in time; results yielded so far stand.
        """

    def shares(self) -> str:
        """How much each worker did, and what is waited for; for a progress line."""

    @property
    def copies(self) -> int:
        """Tasks that another worker took as well near the end."""

    @property
    def silent(self) -> tuple[str, ...]:
        """Workers that were asked and never answered, each with why."""


class Transport(Protocol):
    """One way to reach workers."""

    @property
    def unique_names(self) -> bool:
        """Whether `describe` names every start of a worker differently."""

    def stream(self, *, keep: bool = False, tell: Callable[[], None] = _silence) -> Stream:
        """A new stream of tasks.

        Args:
            keep: leave what has no end to a client that resumes the run, where that is possible, when the stream is
                left early. If not, it is withdrawn.
            tell: called when `Stream.shares` says something new without a result.
        """

    async def answer(self, task: Task) -> TaskResult:
        """Have one task answered.

        Raises:
            Refusal: the task was refused.
            NoWorker: no worker could be reached.
        """

    async def describe(self) -> Described:
        """What each worker that can be reached says."""

    async def wait_ready(self) -> Described:
        """Wait until a worker is ready; what all say then.

        Raises:
            NoWorker: none was in time.
        """

    async def before(self) -> Described:
        """What workers say before a run; waits for one where tasks cannot go anywhere without.

        Raises:
            NoWorker: none was there in time.
        """

    async def after(self) -> Described:
        """What workers say after a run, its work included."""

    async def cancel(self, task_ids: Iterable[str], run_id: str, tenant: str) -> dict[str, str]:
        """Withdraw tasks; what became of each, see `AsyncClient.cancel`."""

    async def close(self) -> None:
        """Cut the connections. Calling it again does nothing."""


def distinct(tasks: Iterable[Task]) -> list[Task]:
    """Tasks as a list.

    Raises:
        ClientError: two have the same id.
    """
    todo = list(tasks)
    different = len({task.id for task in todo})
    if different != len(todo):
        raise ClientError(f"{len(todo)} tasks have only {different} different ids")
    return todo
