"""The dispatcher: one deque of tasks, fed to whichever worker has credit.

Cards of different speed share the work by themselves, and a lost worker's tasks go to the others. Near the end
a worker that has nothing left takes tasks that are late with another one; the first result counts. Every task ends
in exactly one result that is passed on.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version

from spanserve.client.addresses import REFRESH_S, AddressBook, Endpoint, Lookup, look_up
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
        addresses: of the workers, HOST:PORT or unix:PATH; a name with several records is several workers.
        wait_s: how long to go on while no worker at all is connected, at the start and in the middle.
        clock: seconds, monotonic.
        chance: source of jitter.
        lookup: asks for the records of a name.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        tls: Tls = PLAINTEXT,
        wait_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
        lookup: Lookup = look_up,
    ) -> None:
        if not addresses:
            raise ClientError("no worker address was given")
        self._wait_s = wait_s
        self._clock = clock
        self._pending = Pending(clock)
        self._arrived: list[TaskResult] = []
        self._arrival = asyncio.Event()
        self._tls = tls
        self._chance = chance or random.Random()  # noqa: S311 - jitter, no secret
        self._model = PinnedModel()
        self._book = AddressBook(addresses, lookup=lookup)
        self.connections = [self._connection(endpoint) for endpoint in self._book.fixed]

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
        self._pending.complete()
        running = [asyncio.create_task(connection.run()) for connection in self.connections]
        following = asyncio.create_task(self._follow(running))
        try:
            if not running:  # names alone: without a first look-up there is nobody to wait for
                await self._join(running)
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
            following.cancel()
            pairs = zip(running, self.connections, strict=True)
            # A worker that still computes what another one has answered is not waited for.
            polite = [task for task, connection in pairs if connection.connected and not connection.late]
            if polite and not waiting:  # what is left unanswered is withdrawn by closing the streams at once
                await asyncio.wait(polite, timeout=BYE_TIMEOUT_S)
            for task in running:
                task.cancel()
            await asyncio.gather(following, *running, return_exceptions=True)

    def shares(self) -> str:
        """Who answered how many questions, for a progress line; empty with a single worker."""
        if len(self.connections) == 1:
            return ""
        shares = "".join(f", {connection.address} {connection.answered}" for connection in self.connections)
        return shares + (f", {self.copies} tasks taken twice" if self.copies else "")

    @property
    def copies(self) -> int:
        """Tasks that another worker took as well near the end of the run."""
        return self._pending.copies

    @property
    def repeated(self) -> int:
        """Tasks that were answered by both."""
        return sum(connection.repeated for connection in self.connections)

    def _connection(self, endpoint: Endpoint) -> Connection:
        return Connection(
            endpoint.address,
            tls=replace(self._tls, server_name=endpoint.server_name),
            pending=self._pending,
            deliver=self._deliver,
            model=self._model,
            chance=self._chance,
            client_name=f"spanserve {version('spanserve')}",
        )

    async def _follow(self, running: list[asyncio.Task[None]]) -> None:
        """Look up names now and then. Workers that are gone from the records may still answer what they hold."""
        while True:
            await self._join(running)
            await asyncio.sleep(REFRESH_S)

    async def _join(self, running: list[asyncio.Task[None]]) -> None:
        """Connect to workers that were not known before."""
        for endpoint in await self._book.endpoints():
            if all(endpoint.address != connection.address for connection in self.connections):
                self.connections.append(self._connection(endpoint))
                running.append(asyncio.create_task(self.connections[-1].run()))

    def _deliver(self, result: TaskResult) -> None:
        self._arrived.append(result)
        self._arrival.set()

    def _problems(self) -> str:
        reasons = "; ".join(f"{connection.address}: {connection.problem}" for connection in self.connections)
        return f"no worker could be reached within {self._wait_s:g} s ({reasons})"
