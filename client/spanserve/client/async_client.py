"""The Python API for asyncio."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from spanserve.access import Token
from spanserve.client.errors import CLOSED, ClientError
from spanserve.client.grpc import PLAINTEXT, GrpcTransport, Tls
from spanserve.client.own_process import OwnProcess
from spanserve.client.redis import RedisTransport
from spanserve.client.transport import Described, Transport
from spanserve.contract import Options, Priority, Question, QuestionResult, Refusal, Task, TaskResult
from spanserve.queue import RedisSettings

#: Says what a client waits for: a program that does not set up logging has it on standard error.
log = logging.getLogger("spanserve.client")

_DEFAULTS = Options()


class AsyncClient:
    """Talks to workers, from asyncio. In a child of the process that made it every call ends with `Forked`.

    Args:
        addresses: HOST:PORT or unix:PATH of each worker.
        tls: files of a TLS connection.
        token: what `spanserve token` has printed, or a path of a file that holds it. It is never sent in plaintext.
        wait_s: seconds to wait for a worker that cannot be reached yet.
        transport: to workers, in place of all these; the client closes it.

    Raises:
        AddressError: an address cannot be used.
        ClientError: here or by the first call: a file of the TLS connection cannot be read or lacks its pair, or the
            token would be sent in plaintext.
    """

    def __init__(
        self,
        *addresses: str,
        tls: Tls = PLAINTEXT,
        token: str | Path | None = None,
        wait_s: float = 60.0,
        transport: Transport | None = None,
    ) -> None:
        self._process = OwnProcess()
        self._closed = False
        self._made = transport or GrpcTransport(
            addresses or ("localhost:50051",), tls, wait_s, None if token is None else Token(token)
        )

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
        sentinel_password_file: Path | None = None,
        wait_s: float = 60.0,
    ) -> Self:
        """A client of the workers that pull from a queue in Redis.

        Args:
            url: redis://HOST:PORT/DB, redis+sentinel://HOST,HOST/NAME, redis+cluster://HOST,HOST, each rediss for TLS,
                or unix:///PATH.
            queue: its name.
            username, password_file: of a Redis user; the file holds the password and nothing else.
            tls_ca, tls_cert, tls_key: files of a TLS connection.
            sentinel_password_file: for Sentinels, if they require a password.
            wait_s: seconds to wait for a worker, or for Redis, that cannot be reached yet.

        Raises:
            QueueError: the URL cannot be used, or a file cannot be read.
        """
        settings = RedisSettings(
            url=url,
            username=username,
            password_file=password_file,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            sentinel_password_file=sentinel_password_file,
        )
        return cls(transport=RedisTransport(settings, queue, wait_s, log.warning))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cut the connections. Calling it again, or in a child of this process, does nothing."""
        if self._process.here:
            self._closed = True
            await self._made.close()

    @property
    def _transport(self) -> Transport:
        self._process.check()
        if self._closed:
            raise ClientError(CLOSED)
        return self._made

    async def ask(
        self,
        context: str,
        questions: Sequence[str],
        *,
        options: Options = _DEFAULTS,
        timeout_ms: int = 30_000,
    ) -> tuple[QuestionResult, ...]:
        """Ask questions about a context; one result each, in order.

        Args:
            timeout_ms: milliseconds from the arrival at a worker; what is not computed by then ends with an error.

        Raises:
            Refusal: the task was refused.
            NoWorker: no worker could be reached.
        """
        if isinstance(questions, str):  # a sequence of texts as well: its characters
            raise Refusal.invalid(
                "questions", "is one text, but a list of texts is needed", value="str", limit="list"
            )
        numbered = tuple(Question(str(number), text) for number, text in enumerate(questions or ()))
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
        return await self._transport.answer(task)

    async def answer_all(self, tasks: Iterable[Task]) -> AsyncGenerator[TaskResult]:
        """Stream tasks to all workers; yields one result per task, in any order.

        Leaving the loop early withdraws what has no result yet. In a queue, tasks with a `run_id` are known by
        it: a client that streams them again while results are kept gets those results.

        Raises:
            NoWorker: no worker could be reached for `wait_s`.
            ClientError: two tasks have the same id; or, in a queue, they are not of one run.
        """
        async with contextlib.aclosing(self._transport.stream().run(tasks)) as arriving:
            async for results in arriving:
                for result in results:
                    yield result

    async def cancel(self, task_ids: Iterable[str], *, run_id: str = "", tenant: str = "") -> dict[str, str]:
        """Withdraw tasks from a queue. Each still ends once: CANCELLED, or as it would have if that was faster.

        Args:
            task_ids: of tasks.
            run_id, tenant: of their run. Without one, of what `answer_all` of this client is waiting for.

        Returns:
            For each id `cancelled`, `flagged` (a worker has it, and is told), `ended` or `unknown`.

        Raises:
            ClientError: this client has no queue.
            QueueError: Redis cannot be asked.
        """
        return await self._transport.cancel(task_ids, run_id, tenant)

    async def describe(self) -> Described:
        """What each worker that can be reached serves, by address or, in a queue, by consumer name."""
        return await self._transport.describe()

    async def wait_ready(self) -> Described:
        """Wait until a worker is ready; returns what `describe` says then.

        Raises:
            NoWorker: none was within `wait_s`.
        """
        return await self._transport.wait_ready()
