"""The transport to workers over gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from spanserve.access import Token
from spanserve.client.errors import AccessDenied, ClientError, NoWorker
from spanserve.client.grpc.addresses import AddressBook, Endpoint, Lookup, look_up
from spanserve.client.grpc.channel import DENIED, Tls, open_channel, shown, stub_of
from spanserve.client.grpc.dispatch import Dispatcher
from spanserve.client.grpc.unreachable import why
from spanserve.client.result_check import checked
from spanserve.client.spans import TaskSpans
from spanserve.client.transport import Described
from spanserve.contract import Refusal, State, Task, TaskResult, WorkerStatus
from spanserve.contract.backoff import Backoff
from spanserve.contract.trace import TraceContext
from spanserve.v1 import task_pb2, worker_pb2

#: Seconds of waiting after which it is reported what is waited for, and the interval after that.
TELL_AFTER_S, TELL_EVERY_S = 2.0, 10.0
#: Seconds a worker gets to describe itself.
DESCRIBE_TIMEOUT_S = 5.0
#: The same where the time to wait for a worker is nearly up.
LAST_TIMEOUT_S = 1.0
#: The standard health check, and its reply SERVING as bytes: a client has no need of more of that protocol.
_HEALTH, _SERVING = "/grpc.health.v1.Health/Check", b"\x08\x01"
_RETRYABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


class GrpcTransport:
    """Workers that are called directly.

    Args:
        addresses: HOST:PORT or unix:PATH of each worker; a name with several records is several workers.
        tls: files of a TLS connection.
        token: shown to workers that ask for one.
        wait_s: seconds to wait for a worker that cannot be reached yet.
        lookup: asks for the records of a name.
        tell: told from time to time what is being waited for.
        look: called before each look at whether a worker is ready; a `ClientError` of it ends the wait.
    """

    unique_names = False

    def __init__(
        self,
        addresses: Sequence[str],
        tls: Tls,
        wait_s: float,
        token: Token | None = None,
        *,
        lookup: Lookup = look_up,
        tell: Callable[[str], object] = lambda what: None,
        look: Callable[[], object] = lambda: None,
    ) -> None:
        self._tell = tell
        self._look = look
        self._addresses = addresses
        self._tls = tls
        self._token = token
        self._wait_s = wait_s
        self._clock = time.monotonic
        self._lookup = lookup
        self._book = AddressBook(addresses, lookup=lookup)
        self._channels = {endpoint: open_channel(endpoint, tls, token) for endpoint in self._book.fixed}

    def stream(self, *, keep: bool = False, tell: Callable[[], None] = lambda: None) -> Dispatcher:
        """Nothing can be kept by workers, and nothing is reported between results."""
        return Dispatcher(
            self._addresses, tls=self._tls, token=self._token, wait_s=self._wait_s, lookup=self._lookup
        )

    async def answer(self, task: Task) -> TaskResult:
        """Have one task answered, by whichever worker takes it first; see `Transport`."""
        spans = TaskSpans()
        spans.begin([task])
        try:
            result = await self._answer(task, spans.trace(task))
        except BaseException as error:
            spans.close(error)
            raise
        spans.end(result)
        return result

    async def _answer(self, task: Task, trace: TraceContext | None) -> TaskResult:
        beside = () if trace is None else tuple(trace.headers.items())
        request = worker_pb2.AnswerRequest(task=task.to_proto())
        backoff = self._backoff()
        give_up = self._clock() + self._wait_s
        tried = 0
        while True:
            channels = await self._reach()
            endpoint = list(channels)[tried % len(channels)]
            tried += 1
            try:
                timeout_s = task.timeout_ms / 1000 + 1 if task.timeout_ms else None
                answering = stub_of(channels[endpoint]).Answer
                metadata = (*shown(self._token), *beside)
                response = await answering(request, timeout=timeout_s, metadata=metadata)
                return self._checked(task, TaskResult.from_proto(response.result))
            except aio.AioRpcError as error:
                refusal = _refusal(error)
                # A server that stops cancels calls that it has received but not read: that is not a worker's answer.
                unseen = error.code() is grpc.StatusCode.CANCELLED and refusal is None
                if not (unseen or error.code() in _RETRYABLE) or self._clock() > give_up:
                    if refusal is not None:
                        raise refusal from None
                    fault = AccessDenied if error.code() in DENIED else NoWorker
                    raise fault(f"{endpoint}: {why(error, endpoint, self._tls)}") from None
            await asyncio.sleep(backoff.next_s())

    async def describe(self) -> Described:
        """What each worker reports, by address; of one that will not describe itself, only that it serves."""
        return (await self._describe_all())[0]

    async def wait_ready(self) -> Described:
        """Wait until a worker is ready; see `Transport`."""
        backoff = self._backoff()
        now = self._clock()
        give_up, tell_at = now + self._wait_s, now + TELL_AFTER_S
        timeout_s = DESCRIBE_TIMEOUT_S
        while True:
            self._look()
            found, silent = await self._describe_all(timeout_s)
            if any(worker.ready for worker in found.values()):
                return found
            said = [f"{address}: {worker.state_name}" for address, worker in found.items()]
            said += [f"{address}: {why(error, address, self._tls)}" for address, error in silent.items()]
            problems = "; ".join(said)
            if silent and not found and all(error.code() in DENIED for error in silent.values()):
                raise AccessDenied(f"no worker lets this client in ({problems})")
            if (now := self._clock()) >= give_up:
                raise NoWorker(f"no worker was ready within {self._wait_s:g} s ({problems})")
            if now >= tell_at:
                tell_at = now + TELL_EVERY_S
                self._tell(f"no worker is ready, trying for {give_up - now:.0f} s more ({problems})")
            # The last look is when the time is up, and it is not waited for long after.
            await asyncio.sleep(min(backoff.next_s(), give_up - now))
            timeout_s = min(DESCRIBE_TIMEOUT_S, max(LAST_TIMEOUT_S, give_up - self._clock()))

    async def _describe_all(
        self, timeout_s: float = DESCRIBE_TIMEOUT_S
    ) -> tuple[Described, dict[Endpoint, aio.AioRpcError]]:
        """What each worker reports about itself, and how the calls of the others have failed."""
        found: Described = {}
        silent: dict[Endpoint, aio.AioRpcError] = {}
        for endpoint, channel in (await self._reach()).items():
            try:
                found[str(endpoint)] = await self._describe(channel, timeout_s)
            except aio.AioRpcError as error:
                silent[endpoint] = error
        return found, silent

    async def _describe(self, channel: aio.Channel, timeout_s: float) -> WorkerStatus:
        """What a worker reports about itself. One that we may ask but not observe only says whether it serves.

        Raises:
            AioRpcError: it says nothing.
        """
        metadata = shown(self._token)
        try:
            request = worker_pb2.DescribeRequest()
            response = await stub_of(channel).Describe(request, timeout=timeout_s, metadata=metadata)
        except aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                raise
            check: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_HEALTH)
            serves = await check(b"", timeout=timeout_s) == _SERVING
            return WorkerStatus(worker="", state=State.READY if serves else State.STARTING)
        return WorkerStatus.from_proto(response)

    async def before(self) -> Described:
        return await self.wait_ready()

    async def after(self) -> Described:
        return await self.describe()

    async def cancel(self, task_ids: Iterable[str], run_id: str, tenant: str) -> dict[str, str]:
        raise ClientError("only tasks in a queue are cancelled by id: leaving the loop withdraws the others")

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

    async def _reach(self) -> dict[Endpoint, aio.Channel]:
        """Channels to the workers that the addresses stand for now."""
        endpoints = await self._book.endpoints()
        for endpoint in endpoints:
            if endpoint not in self._channels:
                self._channels[endpoint] = open_channel(endpoint, self._tls, self._token)
        return {endpoint: self._channels[endpoint] for endpoint in endpoints}

    def _checked(self, task: Task, result: TaskResult) -> TaskResult:
        """The result of a task.

        Raises:
            Refusal: it is not a result.
        """
        right = checked(task, result)
        if right is not result and right.shared_error is not None:
            raise right.shared_error
        return right

    def _backoff(self) -> Backoff:
        return Backoff()


def _refusal(error: aio.AioRpcError) -> Refusal | None:
    """The typed error in the trailing metadata of a call."""
    for key, value in error.trailing_metadata() or ():
        if key == "spanserve-error-bin" and isinstance(value, bytes):
            with contextlib.suppress(DecodeError):
                return Refusal.from_proto(task_pb2.Error.FromString(value))
    return None
