"""The dispatcher: one deque of tasks, fed to whichever worker has credit.

Cards of different speed share the work by themselves, and a lost worker's tasks go to the others. Near the end
a worker that has nothing left takes tasks that are late with another one; the first result counts. Every task ends
in exactly one result that is passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from importlib.metadata import version

from spanserve.access import Token
from spanserve.client.errors import AccessDenied, ClientError, NoWorker, OtherModel
from spanserve.client.grpc.addresses import REFRESH_S, AddressBook, Endpoint, Lookup, look_up
from spanserve.client.grpc.call import Dial, dial_over_grpc
from spanserve.client.grpc.channel import PLAINTEXT, Tls
from spanserve.client.grpc.connection import Connection, PinnedModel
from spanserve.client.grpc.pending import Pending
from spanserve.client.spans import TaskSpans
from spanserve.client.transport import distinct
from spanserve.contract import Task, TaskResult

#: Seconds workers get to say good-bye at the end.
BYE_TIMEOUT_S = 5.0
#: Seconds between two looks at whether any worker is there.
WATCH_INTERVAL_S = 0.25


class Dispatcher:
    """Sends tasks to workers and yields their results.

    Args:
        addresses: of the workers, HOST:PORT or unix:PATH; a name with several records is several workers.
        tls: files of a TLS connection.
        token: shown to workers that ask for one.
        wait_s: how long to go on while no worker at all is connected, at the start and in the middle.
        clock: seconds, monotonic.
        chance: source of jitter.
        lookup: asks for the records of a name.
        dial: opens the way to a worker; over gRPC unless told otherwise.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        tls: Tls = PLAINTEXT,
        token: Token | None = None,
        wait_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
        lookup: Lookup = look_up,
        dial: Dial | None = None,
    ) -> None:
        if not addresses:
            raise ClientError("no worker address was given")
        self._wait_s = wait_s
        self._clock = clock
        self._pending = Pending(clock)
        self._spans = TaskSpans()
        self._arrived: list[TaskResult] = []
        self._arrival = asyncio.Event()
        self._alive = clock()
        #: Whether any worker has let this client in.
        self._let_in = False
        self._dial = dial or dial_over_grpc(tls, token)
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
        """Send tasks, and yield results in any order, available ones together, until every task has one.

        Raises:
            ClientError: two tasks have the same id.
            NoWorker: no worker was connected for `wait_s`; results yielded so far stand.
            OtherModel: every worker serves another model now; results yielded so far stand.
        """
        todo = distinct(tasks)
        waiting = {task.id for task in todo}
        self._spans.begin(todo)
        self._pending.add(todo)
        self._pending.complete()
        self._alive = self._clock()
        self._start(self._connections.values())
        following = asyncio.create_task(self._follow())
        try:
            while waiting:
                arrived = await self._next(following)
                waiting.difference_update(result.id for result in arrived)
                if arrived:
                    yield arrived
        finally:
            # What is left unanswered is withdrawn by closing the streams at once.
            self._spans.close()
            await self._leave(following, politely=not waiting)

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
    def silent(self) -> tuple[str, ...]:
        """Workers that never accepted a stream, each with the reason."""
        return tuple(f"{c.endpoint}: {c.problem}" for c in self.connections if not c.welcomed)

    @property
    def repeated(self) -> int:
        """Tasks that were answered by both."""
        return sum(connection.repeated for connection in self.connections)

    async def _next(self, following: asyncio.Task[None]) -> list[TaskResult]:
        """The results available now, or none after a moment.

        Raises:
            NoWorker: waiting longer is of no use.
            Exception: that of a connection, or of the look-up, that has failed.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WATCH_INTERVAL_S):
                await self._arrival.wait()
        for task in (following, *self._running.values()):
            if task.done() and not task.cancelled() and (fault := task.exception()) is not None:
                raise fault
        self._arrival.clear()
        arrived, self._arrived = self._arrived, []
        if arrived or any(connection.connected for connection in self.connections):
            self._alive, self._let_in = self._clock(), True
        else:
            self._check_hope()
        return arrived

    def _check_hope(self) -> None:
        """Whether a worker may still come.

        Raises:
            OtherModel, AccessDenied, NoWorker: it may not.
        """
        if not self._let_in and self._running and all(connection.denied for connection in self._running):
            raise AccessDenied(f"no worker lets this client in ({self._problems()})")
        if self._running and all(connection.other_model for connection in self._running):
            raise OtherModel(f"every worker serves another model now ({self._problems()})")
        if self._clock() - self._alive > self._wait_s:
            raise NoWorker(f"no worker could be reached within {self._wait_s:g} s ({self._problems()})")

    async def _leave(self, following: asyncio.Task[None], *, politely: bool) -> None:
        """End all connections; politely: once their workers have said good-bye.

        A worker that still computes what another one has answered is not waited for.
        """
        self._pending.close()
        following.cancel()
        parting = [task for worker, task in self._running.items() if worker.connected and not worker.late]
        if politely and parting:
            await asyncio.wait(parting, timeout=BYE_TIMEOUT_S)
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(following, *self._running.values(), return_exceptions=True)

    def _connect(self, endpoint: Endpoint) -> Connection:
        connection = self._connections[endpoint] = Connection(
            endpoint,
            dial=self._dial,
            pending=self._pending,
            deliver=self._deliver,
            trace=self._spans.trace,
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
        """Look up names from time to time."""
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
        self._spans.end(result)
        self._arrived.append(result)
        self._arrival.set()

    def _problems(self) -> str:
        return "; ".join(f"{connection.endpoint}: {connection.problem}" for connection in self._running)
