"""The Python API for code without asyncio: ask a question, or stream tasks.

from spanserve.client import Client

with Client("localhost:50051") as client:
    for result in client.ask("The harbour froze in 1871.", ["When did the harbour freeze?"]):
        print(result.text)

`Client.from_redis("redis://localhost:6379")` is the same through a queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from spanserve.client.async_client import AsyncClient
from spanserve.client.errors import CLOSED, ClientError
from spanserve.client.grpc.channel import PLAINTEXT, Tls
from spanserve.client.own_process import OwnProcess
from spanserve.client.transport import Described
from spanserve.contract import Options, QuestionResult, Task, TaskResult

_T = TypeVar("_T")

_DEFAULTS = Options()


class Client:
    """`AsyncClient` for code without asyncio: the same calls, run on a separate thread.

    Args:
        addresses, tls, token, wait_s: as those of `AsyncClient`.
        connect: makes another client, in place of all these.
    """

    def __init__(
        self,
        *addresses: str,
        tls: Tls = PLAINTEXT,
        token: str | Path | None = None,
        wait_s: float = 60.0,
        connect: Callable[[], AsyncClient] | None = None,
    ) -> None:
        self._process = OwnProcess()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="spanserve-client", daemon=True)
        self._thread.start()
        make = connect or partial(AsyncClient, *addresses, tls=tls, token=token, wait_s=wait_s)

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
        sentinel_password_file: Path | None = None,
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
            sentinel_password_file=sentinel_password_file,
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
        """Close the connections. Calling it again, or in a child of this process, does nothing."""
        if self._process.here and not self._loop.is_closed():
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
        try:
            self._process.check()  # its thread is not in a child, which would wait for ever
            if self._loop.is_closed():
                raise ClientError(CLOSED)
        except BaseException:
            work.close()
            raise
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
