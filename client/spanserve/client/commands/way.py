"""The way to workers that a command line asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from spanserve.client.channel import PLAINTEXT
from spanserve.client.commands.options import Queue, Redis, TlsOptions
from spanserve.client.door import Door
from spanserve.client.errors import ClientError
from spanserve.client.private import private_worker
from spanserve.client.queue import QueueDoor
from spanserve.client.workers import WorkersDoor
from spanserve.queue.options import RedisLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOptions:
    """How to reach workers, those of --worker or those of a queue."""

    wait: Annotated[
        float,
        typer.Option(envvar="SPANSERVE_WAIT", help="Seconds to wait for a worker to be ready.", min=0),
    ] = 60.0
    tls: TlsOptions
    redis: Redis = None
    queue: Queue = "default"
    login: RedisLogin

    def door(
        self, context: typer.Context, worker: list[str] | None, stack: contextlib.ExitStack
    ) -> Callable[[], Door]:
        """Makes the door to a queue or to workers; without either, to a private worker that ends with the stack.

        What is on the command line beats the environment.

        Raises:
            ClientError: both ways were asked for.
            QueueError: the Redis cannot be one.
        """
        ways = {name for name, value in (("worker", worker), ("redis", self.redis)) if value}
        if len(ways) == 2:
            ways = {name for name in ways if _is_typed(context, name)}
            if len(ways) != 1:
                raise ClientError("--worker and --redis exclude each other: tasks go one way")
        if "redis" in ways and (settings := self.login.to(self.redis)):
            return partial(QueueDoor, settings, self.queue, self.wait)
        if "worker" in ways and worker:
            return partial(WorkersDoor, worker, self.tls.files(), self.wait)
        return partial(WorkersDoor, [stack.enter_context(private_worker())], PLAINTEXT, self.wait)


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
