"""The transport that a command line asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

import typer

from spanserve.client.commands.private import private_worker
from spanserve.client.errors import ClientError
from spanserve.client.grpc.channel import PLAINTEXT, Tls
from spanserve.client.grpc.transport import GrpcTransport
from spanserve.client.redis import RedisTransport
from spanserve.client.transport import Transport
from spanserve.queue import RedisSettings


def chosen(
    context: typer.Context, worker: list[str] | None, redis: str | None
) -> tuple[list[str] | None, str | None]:
    """Workers or Redis, whichever was asked for; what is on the command line beats the environment.

    Raises:
        ClientError: both were.
    """
    if not worker or not redis:
        return worker, redis
    typed = {name for name in ("worker", "redis") if _is_typed(context, name)}
    if len(typed) != 1:
        raise ClientError("--worker and --redis exclude each other: tasks go one way")
    return (worker, None) if "worker" in typed else (None, redis)


def transport_to(
    stack: contextlib.ExitStack,
    worker: list[str] | None,
    tls: Tls,
    redis: RedisSettings | None,
    queue: str,
    wait_s: float,
) -> Callable[[], Transport]:
    """Makes the transport to a queue or to workers; without either, to a private worker that ends with the stack."""
    if redis:
        return partial(RedisTransport, redis, queue, wait_s)
    if worker:
        return partial(GrpcTransport, worker, tls, wait_s)
    return partial(GrpcTransport, [stack.enter_context(private_worker())], PLAINTEXT, wait_s)


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
