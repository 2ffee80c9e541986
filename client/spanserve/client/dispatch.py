"""The dispatcher: one deque of tasks, fed to whichever worker has credit.

Cards of different speed share the work by themselves, and a lost worker's tasks go to the others. Every task
ends in exactly one result that is passed on; later ones are the ledger's and the aggregate's to count.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from importlib.metadata import version

from spanserve.client.channel import PLAINTEXT, Tls
from spanserve.client.connection import Connection, PinnedModel
from spanserve.client.errors import ClientError
from spanserve.client.pending import Pending
from spanserve.contract import Task, TaskResult

#: Seconds workers get to say good-bye at the end.
BYE_TIMEOUT_S = 5.0
#: Seconds between two looks at whether any worker is there.
WATCH_INTERVAL_S = 0.25


class NoWorker(ClientError):
    """No worker could be reached for as long as the client was willing to wait."""


class Dispatcher:
    """Sends tasks to workers and yields their results.

    Args:
        addresses: of the workers, HOST:PORT or unix:PATH.
        wait_s: how long to go on while no worker at all is connected, at the start and in the middle.
        clock: seconds, monotonic.
        chance: source of jitter.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        tls: Tls = PLAINTEXT,
        wait_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        if not addresses:
            raise ClientError("no worker address was given")
        self._wait_s = wait_s
        self._clock = clock
        self._pending = Pending()
        self._arrived: list[TaskResult] = []
        self._arrival = asyncio.Event()
        model = PinnedModel()
        self.connections = [
            Connection(
                address,
                tls=tls,
                pending=self._pending,
                deliver=self._deliver,
                model=model,
                chance=chance or random.Random(),  # noqa: S311 - jitter, no secret
                client_name=f"spanserve {version('spanserve')}",
            )
            for address in dict.fromkeys(addresses)
        ]

    async def run(self, tasks: Iterable[Task]) -> AsyncGenerator[list[TaskResult]]:
        """Send tasks, and yield results in any order, those at hand together, until every task has one.

        Raises:
            ClientError: two tasks have the same id.
            NoWorker: no worker was connected for `wait_s`; results yielded so far stand.
        """
        todo = list(tasks)
        waiting = {task.id for task in todo}
        if len(waiting) != len(todo):
            raise ClientError(f"{len(todo)} tasks have only {len(waiting)} different ids")
        self._pending.add(todo)
        running = [asyncio.create_task(connection.run()) for connection in self.connections]
        try:
            alive = self._clock()
            while waiting:
                try:
                    async with asyncio.timeout(WATCH_INTERVAL_S):
                        await self._arrival.wait()
                except TimeoutError:
                    pass
                for task in running:
                    if task.done() and not task.cancelled() and (fault := task.exception()) is not None:
                        raise fault
                if self._arrived or any(connection.connected for connection in self.connections):
                    alive = self._clock()
                elif self._clock() - alive > self._wait_s or all(task.done() for task in running):
                    raise NoWorker(self._problems())
                self._arrival.clear()
                arrived, self._arrived = self._arrived, []
                waiting.difference_update(result.id for result in arrived)
                if arrived:
                    yield arrived
        finally:
            self._pending.close()
            pairs = zip(running, self.connections, strict=True)
            polite = [task for task, connection in pairs if connection.connected]
            if polite and not waiting:  # what is left unanswered is withdrawn by closing the streams at once
                await asyncio.wait(polite, timeout=BYE_TIMEOUT_S)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def shares(self) -> str:
        """Who answered how many questions, for a progress line; empty with a single worker."""
        if len(self.connections) == 1:
            return ""
        return "".join(f", {connection.address} {connection.answered}" for connection in self.connections)

    def _deliver(self, result: TaskResult) -> None:
        self._arrived.append(result)
        self._arrival.set()

    def _problems(self) -> str:
        reasons = "; ".join(f"{connection.address}: {connection.problem}" for connection in self.connections)
        return f"no worker could be reached within {self._wait_s:g} s ({reasons})"
