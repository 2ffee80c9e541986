"""Where the queue is: what every subcommand of `spanserve queue` is told, and how it gets there."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import typer
from redis.asyncio import Redis as RedisClient
from rich.console import Console
from rich.progress import track
from rich.table import Table

from spanserve.client.commands.options import (
    Json,
    Queue,
    Redis,
)
from spanserve.client.errors import ClientError
from spanserve.queue import Keys, RedisSettings
from spanserve.queue.calls import MAX_PIPELINE
from spanserve.queue.options import (
    RedisCa,
    RedisCert,
    RedisKey,
    RedisPasswordFile,
    RedisUsername,
    redis_of,
)

_T = TypeVar("_T")

#: Exit status if something that was asked for could not be done.
EXIT_NOT_ALL = 1

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look after a queue in Redis.")


@dataclass(frozen=True, slots=True)
class Place:
    """A queue, and in which form to speak of it."""

    settings: RedisSettings
    keys: Keys
    json: bool

    def visit(self, work: Callable[[RedisClient, Keys], Awaitable[_T]]) -> _T:
        """Do something with the queue.

        Raises:
            QueueError: Redis is away, or refuses.
        """

        async def there() -> _T:
            redis = self.settings.connect()
            try:
                return await work(redis, self.keys)
            finally:
                await redis.aclose()

        return asyncio.run(there())

    def show(self, content: Any, *tables: Table | str) -> None:
        """Print what was found: for programs `content`, for people the rest."""
        if self.json:
            sys.stdout.write(json.dumps(content) + "\n")
            return
        console = Console()
        for table in tables:
            console.print(table, highlight=False)


def command(name: str, epilog: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a subcommand; its argument `place` is filled from options that all of them have."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(**values: Any) -> None:
            shared = {name: values.pop(name) for name in _SHARED.parameters}
            function(_shared(**shared), **values)

        own = [p for p in inspect.signature(function, eval_str=True).parameters.values() if p.name != "place"]
        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in (*own, *_SHARED.parameters.values())
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, epilog=f"\b\n{epilog}")(run)
        return function

    return register


def table(*columns: str) -> Table:
    """A table for people; a column whose name ends in a blank is aligned to the right."""
    made = Table(box=None, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column.strip(), justify="right" if column.endswith(" ") else "left")
    return made


def pieces(items: Sequence[_T], what: str) -> Iterable[Sequence[_T]]:
    """Items in as many parts as they make pipelines; a bar on standard error where that takes long."""
    parts = [items[first : first + MAX_PIPELINE] for first in range(0, len(items), MAX_PIPELINE)]
    console = Console(stderr=True)
    return track(parts, what, console=console, transient=True, disable=not console.is_terminal)


def _shared(
    *,
    redis: Redis = None,
    queue: Queue = "default",
    redis_username: RedisUsername = "",
    redis_password_file: RedisPasswordFile = None,
    redis_ca: RedisCa = None,
    redis_cert: RedisCert = None,
    redis_key: RedisKey = None,
    json_output: Json = False,
) -> Place:
    if redis is None:
        raise ClientError("no Redis: give --redis URL, or set SPANSERVE_REDIS")
    settings = redis_of(redis, redis_username, redis_password_file, redis_ca, redis_cert, redis_key)
    return Place(settings, Keys(queue), json_output)


_SHARED = inspect.signature(_shared, eval_str=True)
