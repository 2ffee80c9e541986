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


class OtherModel(NoWorker):
    """All workers serve another model than the one that a run has begun with."""


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
        self._connections: dict[Endpoint, Connection] = {}
        self._running: dict[Connection, asyncio.Task[None]] = {}
        for endpoint in self._book.fixed:
            self._connect(endpoint)

    @property
    def connections(self) -> list[Connection]:
        """Those to all workers so far, gone ones included."""
        return list(self._connections.values())

    async def run(self, tasks: Iterable[Task]) -> AsyncGenerator[list[TaskResult]]:
        """Send tasks, and yield results in any order, those at hand together, until every task has one.

        Raises:
            ClientError: two tasks have the same id.
            NoWorker: no worker was connected for `wait_s`; results yielded so far stand.
            OtherModel: every worker serves another model now; results yielded so far stand.
        """
        todo = list(tasks)
        waiting = {task.id for task in todo}
        if len(waiting) != len(todo):
            raise ClientError(f"{len(todo)} tasks have only {len(waiting)} different ids")
        self._pending.add(todo)
        self._pending.complete()
        running = self._running
        self._start(self._connections.values())
        following = asyncio.create_task(self._follow())
        try:
            alive = self._clock()
            while waiting:
                try:
                    async with asyncio.timeout(WATCH_INTERVAL_S):
                        await self._arrival.wait()
                except TimeoutError:
                    pass
                for task in (following, *running.values()):
                    if task.done() and not task.cancelled() and (fault := task.exception()) is not None:
                        raise fault
                if self._arrived or any(connection.connected for connection in self.connections):
                    alive = self._clock()
                elif running and all(connection.other_model for connection in running):
                    raise OtherModel(f"every worker serves another model now ({self._problems()})")
                elif self._clock() - alive > self._wait_s:
                    raise NoWorker(
                        f"no worker could be reached within {self._wait_s:g} s ({self._problems()})"
                    )
                self._arrival.clear()
                arrived, self._arrived = self._arrived, []
                waiting.difference_update(result.id for result in arrived)
                if arrived:
                    yield arrived
        finally:
            self._pending.close()
            following.cancel()
            # A worker that still computes what another one has answered is not waited for.
            polite = [task for worker, task in running.items() if worker.connected and not worker.late]
            if polite and not waiting:  # what is left unanswered is withdrawn by closing the streams at once
                await asyncio.wait(polite, timeout=BYE_TIMEOUT_S)
            for task in running.values():
                task.cancel()
            await asyncio.gather(following, *running.values(), return_exceptions=True)

    def shares(self) -> str:
        """Who answered how many questions, for a progress line; empty with a single worker."""
        if len(self._connections) == 1:
            return ""
        shares = "".join(f", {worker.endpoint} {worker.answered}" for worker in self._connections.values())
        return shares + (f", {self.copies} tasks taken twice" if self.copies else "")

    @property
    def copies(self) -> int:
        """Tasks that another worker took as well near the end of the run."""
        return self._pending.copies

    @property
    def repeated(self) -> int:
        """Tasks that were answered by both."""
        return sum(connection.repeated for connection in self.connections)

    def _connect(self, endpoint: Endpoint) -> Connection:
        connection = self._connections[endpoint] = Connection(
            endpoint,
            tls=self._tls,
            pending=self._pending,
            deliver=self._deliver,
            model=self._model,
            chance=self._chance,
            client_name=f"spanserve {version('spanserve')}",
        )
        return connection

    def _start(self, connections: Iterable[Connection]) -> None:
        for connection in connections:
            if connection not in self._running:
                self._running[connection] = asyncio.create_task(connection.run())

    async def _follow(self) -> None:
        """Look up names now and then."""
        while True:
            await self._look_up()
            await asyncio.sleep(REFRESH_S)

    async def _look_up(self) -> None:
        """Connect to workers that were not known before, and leave those that are gone.

        What is gone from the records of its name may work on while its stream lasts. A name that stood for itself
        does not: its workers are those of its records now.
        """
        present = await self._book.endpoints()
        gone = [connection for connection in self._running if connection.endpoint not in present]
        leaving = [
            self._running.pop(connection)
            for connection in gone
            if not (connection.connected and connection.endpoint.server_name)
        ]
        for task in leaving:
            task.cancel()
        self._start([self._connections.get(endpoint) or self._connect(endpoint) for endpoint in present])
        await asyncio.gather(*leaving, return_exceptions=True)

    def _deliver(self, result: TaskResult) -> None:
        self._arrived.append(result)
        self._arrival.set()

    def _problems(self) -> str:
        return "; ".join(f"{connection.endpoint}: {connection.problem}" for connection in self._running)
