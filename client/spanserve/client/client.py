"""The Python API: ask a question, or stream tasks, from asyncio or from plain code.

from spanserve.client import Client

with Client("localhost:50051") as client:
    for result in client.ask("The harbour froze in 1871.", ["When did the harbour freeze?"]):
        print(result.answer.best.text)

`Client.from_redis("redis://localhost:6379")` is the same through a queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from spanserve.client.channel import PLAINTEXT, Tls
from spanserve.client.door import Described, Door
from spanserve.client.queue import QueueDoor
from spanserve.client.workers import WorkersDoor
from spanserve.contract import Options, Priority, Question, QuestionResult, Task, TaskResult
from spanserve.queue import RedisSettings

_T = TypeVar("_T")

_DEFAULTS = Options()


class AsyncClient:
    """Talks to workers, from asyncio.

    Args:
        addresses: HOST:PORT or unix:PATH of each worker.
        tls: files of a TLS connection.
        wait_s: how long to wait for a worker that is not there (yet).
        door: another way to workers, in place of all these; the client closes it.
    """

    def __init__(
        self, *addresses: str, tls: Tls = PLAINTEXT, wait_s: float = 60.0, door: Door | None = None
    ) -> None:
        self._door = door or WorkersDoor(addresses or ("localhost:50051",), tls, wait_s)

    @classmethod
    def from_redis(
        cls,
        url: str,
        queue: str = "default",
        *,
        username: str = "",
        password_file: Path | None = None,
        tls_ca: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        wait_s: float = 60.0,
    ) -> Self:
        """A client of the workers that pull from a queue in Redis.

        Args:
            url: redis://HOST:PORT/DB, rediss:// for TLS, unix:///PATH.
            queue: its name.
            username, password_file: of a Redis user; the file holds the password and nothing else.
            tls_ca, tls_cert, tls_key: files of a TLS connection.
            wait_s: how long to wait for a worker, or for Redis, that is not there (yet).

        Raises:
            QueueError: the URL is not one, or a file cannot be read.
        """
        settings = RedisSettings(
            url=url,
            username=username,
            password_file=password_file,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
        )
        return cls(door=QueueDoor(settings, queue, wait_s))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cut the connections. Calling it again does nothing."""
        await self._door.close()

    async def ask(
        self,
        context: str,
        questions: Sequence[str],
        *,
        options: Options = _DEFAULTS,
        timeout_ms: int = 30_000,
    ) -> tuple[QuestionResult, ...]:
        """Ask questions about a context; one result each, in order.

        Raises:
            Refusal: the task was refused.
            NoWorker: no worker could be reached.
        """
        numbered = tuple(Question(str(number), text) for number, text in enumerate(questions))
        task = Task(
            id="ask",
            context=context,
            questions=numbered,
            options=options,
            timeout_ms=timeout_ms,
            priority=Priority.INTERACTIVE,
        )
        return (await self.answer(task)).questions

    async def answer(self, task: Task) -> TaskResult:
        """Have one task answered, by whichever worker takes it first.

        Raises:
            Refusal: the task was refused.
            NoWorker: no worker could be reached.
        """
        return await self._door.answer(task)

    async def answer_all(self, tasks: Iterable[Task]) -> AsyncGenerator[TaskResult]:
        """Stream tasks to all workers; yields one result per task, in any order.

        Leaving the loop early withdraws what has no result yet. In a queue, tasks with a `run_id` are known by
        it: whoever streams them again within the time that results are kept gets the results there are.

        Raises:
            NoWorker: no worker could be reached for `wait_s`.
            ClientError: two tasks have the same id; or, in a queue, they are not of one run.
        """
        async with contextlib.aclosing(self._door.stream().run(tasks)) as arriving:
            async for results in arriving:
                for result in results:
                    yield result

    async def cancel(self, task_ids: Iterable[str], *, run_id: str = "", tenant: str = "") -> dict[str, str]:
        """Withdraw tasks from a queue. Each ends once all the same: CANCELLED, or as it would if that was faster.

        Args:
            task_ids: of tasks.
            run_id, tenant: of their run. Without one, of what `answer_all` of this client is waiting for.

        Returns:
            For each id `cancelled`, `flagged` (a worker has it, and is told), `ended` or `unknown`.

        Raises:
            ClientError: this client has no queue.
            QueueError: Redis cannot be asked.
        """
        return await self._door.cancel(task_ids, run_id, tenant)

    async def describe(self) -> Described:
        """What each worker that can be reached serves, by address or, in a queue, by consumer name."""
        return await self._door.describe()

    async def wait_ready(self) -> Described:
        """Wait until a worker is ready; returns what `describe` says then.

        Raises:
            NoWorker: none was within `wait_s`.
        """
        return await self._door.wait_ready()


class Client:
    """`AsyncClient` for plain code: the same calls, run on a thread of its own.

    Args:
        addresses, tls, wait_s: as those of `AsyncClient`.
        connect: makes another client, in place of all these.
    """

    def __init__(
        self,
        *addresses: str,
        tls: Tls = PLAINTEXT,
        wait_s: float = 60.0,
        connect: Callable[[], AsyncClient] | None = None,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="spanserve-client", daemon=True)
        self._thread.start()
        make = connect or partial(AsyncClient, *addresses, tls=tls, wait_s=wait_s)

        async def connected() -> AsyncClient:
            return make()

        try:
            self._client = self._wait(connected())
        except BaseException:
            self._stop()
            raise

    @classmethod
    def from_redis(
        cls,
        url: str,
        queue: str = "default",
        *,
        username: str = "",
        password_file: Path | None = None,
        tls_ca: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        wait_s: float = 60.0,
    ) -> Self:
        """See `AsyncClient.from_redis`."""
        make = partial(
            AsyncClient.from_redis,
            url,
            queue,
            username=username,
            password_file=password_file,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            wait_s=wait_s,
        )
        return cls(connect=make)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Calling it again does nothing."""
        if not self._loop.is_closed():
            self._wait(self._client.close())
            self._stop()

    def ask(
        self,
        context: str,
        questions: Sequence[str],
        *,
        options: Options = _DEFAULTS,
        timeout_ms: int = 30_000,
    ) -> tuple[QuestionResult, ...]:
        """See `AsyncClient.ask`."""
        return self._wait(self._client.ask(context, questions, options=options, timeout_ms=timeout_ms))

    def answer(self, task: Task) -> TaskResult:
        """See `AsyncClient.answer`."""
        return self._wait(self._client.answer(task))

    def answer_all(self, tasks: Iterable[Task]) -> Iterator[TaskResult]:
        """See `AsyncClient.answer_all`. Leaving the loop early withdraws what is not answered yet."""
        results = self._client.answer_all(tasks)

        async def next_result() -> TaskResult | None:
            return await anext(results, None)

        try:
            while (result := self._wait(next_result())) is not None:
                yield result
        finally:
            with contextlib.suppress(RuntimeError):  # a call cut off by Ctrl-C is closing it already
                self._wait(results.aclose())

    def cancel(self, task_ids: Iterable[str], *, run_id: str = "", tenant: str = "") -> dict[str, str]:
        """See `AsyncClient.cancel`."""
        return self._wait(self._client.cancel(task_ids, run_id=run_id, tenant=tenant))

    def describe(self) -> Described:
        """See `AsyncClient.describe`."""
        return self._wait(self._client.describe())

    def wait_ready(self) -> Described:
        """See `AsyncClient.wait_ready`."""
        return self._wait(self._client.wait_ready())

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C ends the call, not only the waiting for it
            raise

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
