"""The transport that a command line asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from spanserve.client.commands.options import Queue, Redis, TlsOptions
from spanserve.client.commands.private import private_worker
from spanserve.client.errors import ClientError
from spanserve.client.grpc.channel import PLAINTEXT
from spanserve.client.grpc.transport import GrpcTransport
from spanserve.client.redis import RedisTransport
from spanserve.client.transport import Transport
from spanserve.options.terminal import complain
from spanserve.queue.options import RedisLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """How to reach workers, directly or through a queue."""

    wait: Annotated[
        float,
        typer.Option(envvar="SPANSERVE_WAIT", help="Seconds to wait for a worker to be ready.", min=0),
    ] = 60.0
    tls: TlsOptions
    redis: Redis = None
    queue: Queue = "default"
    login: RedisLogin

    def maker(
        self,
        context: typer.Context,
        worker: list[str] | None,
        stack: contextlib.ExitStack,
        private: Sequence[str] = (),
    ) -> Callable[[], Transport]:
        """A function that makes the transport to a queue or to workers.

        Without either it goes to a private worker, which ends with the stack. What is on the command line beats
        the environment.

        Args:
            private: arguments of the private worker.

        Raises:
            ClientError: both ways were asked for.
            QueueError: the Redis cannot be one.
        """
        ways = {name for name, value in (("worker", worker), ("redis", self.redis)) if value}
        if len(ways) == 2:
            ways = {name for name in ways if _is_typed(context, name)}
            if len(ways) != 1:
                raise ClientError("--worker and --redis exclude each other: give one of them")
        if "redis" in ways and (settings := self.login.to(self.redis)):
            return partial(RedisTransport, settings, self.queue, self.wait, _teller(context))
        if "worker" in ways and worker:
            return partial(
                GrpcTransport, worker, self.tls.files(), self.wait, self.tls.token(), tell=_teller(context)
            )
        ours = stack.enter_context(private_worker(private))
        return partial(GrpcTransport, [ours.address], PLAINTEXT, self.wait, look=ours.check)


def _teller(context: typer.Context) -> Callable[[str], None]:
    """A function that reports what is waited for: to people; programs learn it once, at the end."""
    return (
        (lambda what: None)
        if context.params.get("json_output")
        else (lambda what: complain(f"spanserve: {what}"))
    )


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
