"""The Python API: ask a question, or stream tasks, from asyncio or from plain code.

from spanserve.client import Client

with Client("localhost:50051") as client:
    for result in client.ask("The harbour froze in 1871.", ["When did the harbour freeze?"]):
        print(result.answer.best.text)
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from grpc import aio

from spanserve.client.backoff import Backoff
from spanserve.client.channel import PLAINTEXT, Tls, open_channel, stub_of
from spanserve.client.dispatch import Dispatcher, NoWorker
from spanserve.contract import Options, Priority, Question, QuestionResult, Refusal, Task, TaskResult
from spanserve.v1 import task_pb2, worker_pb2

_T = TypeVar("_T")

#: Seconds a worker gets to describe itself.
DESCRIBE_TIMEOUT_S = 5.0
_RETRYABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_DEFAULTS = Options()


class AsyncClient:
    """Talks to one worker or several, from asyncio.

    Args:
        addresses: HOST:PORT or unix:PATH of each worker.
        tls: files of a TLS connection.
        wait_s: how long to wait for a worker that is not there (yet).
    """

    def __init__(self, *addresses: str, tls: Tls = PLAINTEXT, wait_s: float = 60.0) -> None:
        if not addresses:
            addresses = ("localhost:50051",)
        self._addresses = addresses
        self._tls = tls
        self._wait_s = wait_s
        self._clock = time.monotonic
        self._channels = {address: open_channel(address, tls) for address in addresses}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

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
        request = worker_pb2.AnswerRequest(task=task_pb2.Task.FromString(task.to_bytes()))
        backoff = self._backoff()
        give_up = self._clock() + self._wait_s
        tried = 0
        while True:
            address = self._addresses[tried % len(self._addresses)]
            tried += 1
            try:
                timeout_s = task.timeout_ms / 1000 + 1 if task.timeout_ms else None
                response = await stub_of(self._channels[address]).Answer(request, timeout=timeout_s)
                return TaskResult.from_proto(response.result)
            except aio.AioRpcError as error:
                refusal = _refusal(error)
                if error.code() not in _RETRYABLE or self._clock() > give_up:
                    if refusal is not None:
                        raise refusal from None
                    raise NoWorker(f"{address}: {error.code().name}: {error.details()}") from None
            await asyncio.sleep(backoff.next_s())

    async def answer_all(self, tasks: Iterable[Task]) -> AsyncGenerator[TaskResult]:
        """Stream tasks to all workers; yields one result per task, in any order.

        Raises:
            NoWorker: no worker was connected for `wait_s`.
        """
        dispatcher = Dispatcher(self._addresses, tls=self._tls, wait_s=self._wait_s)
        async with contextlib.aclosing(dispatcher.run(tasks)) as arriving:
            async for results in arriving:
                for result in results:
                    yield result

    async def describe(self) -> dict[str, worker_pb2.DescribeResponse]:
        """What each worker that can be reached serves, by address."""
        found = {}
        for address, channel in self._channels.items():
            with contextlib.suppress(aio.AioRpcError):
                request = worker_pb2.DescribeRequest()
                found[address] = await stub_of(channel).Describe(request, timeout=DESCRIBE_TIMEOUT_S)
        return found

    async def wait_ready(self) -> dict[str, worker_pb2.DescribeResponse]:
        """Wait until a worker is ready; returns what `describe` says then.

        Raises:
            NoWorker: none was within `wait_s`.
        """
        backoff = self._backoff()
        give_up = self._clock() + self._wait_s
        while True:
            found = await self.describe()
            if any(worker.state == worker_pb2.WORKER_STATE_READY for worker in found.values()):
                return found
            if self._clock() > give_up:
                states = [f"{a}: {worker_pb2.WorkerState.Name(w.state)}" for a, w in found.items()]
                silent = [f"{address}: no answer" for address in self._addresses if address not in found]
                raise NoWorker(
                    f"no worker was ready within {self._wait_s:g} s ({'; '.join(states + silent)})"
                )
            await asyncio.sleep(backoff.next_s())

    def _backoff(self) -> Backoff:
        return Backoff(random.Random())  # noqa: S311 - jitter, no secret


class Client:
    """`AsyncClient` for plain code: the same calls, run on a thread of its own."""

    def __init__(self, *addresses: str, tls: Tls = PLAINTEXT, wait_s: float = 60.0) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="spanserve-client", daemon=True)
        self._thread.start()

        async def connect() -> AsyncClient:
            return AsyncClient(*addresses, tls=tls, wait_s=wait_s)

        try:
            self._client = self._wait(connect())
        except BaseException:
            self._stop()
            raise

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

    def describe(self) -> dict[str, worker_pb2.DescribeResponse]:
        """See `AsyncClient.describe`."""
        return self._wait(self._client.describe())

    def wait_ready(self) -> dict[str, worker_pb2.DescribeResponse]:
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


def _refusal(error: aio.AioRpcError) -> Refusal | None:
    """The typed error in the trailing metadata of a call."""
    for key, value in error.trailing_metadata() or ():
        if key == "spanserve-error-bin" and isinstance(value, bytes):
            return Refusal.from_proto(task_pb2.Error.FromString(value))
    return None
