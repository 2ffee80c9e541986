"""Access to the queue: what every subcommand of `spanserve queue` is given, and how it connects."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from redis.asyncio import Redis as RedisClient
from rich.progress import track

from spanserve.client.commands.options import Json, Queue, Redis
from spanserve.client.errors import ClientError
from spanserve.options import application, grouped
from spanserve.options.terminal import Rows, Terminal, complain
from spanserve.queue import Keys, RedisSettings, patiently
from spanserve.queue.calls import MAX_PIPELINE
from spanserve.queue.options import RedisLogin

_T = TypeVar("_T")

#: Seconds to wait where Redis is there and refuses: it loads, fails over, or runs a script.
REFUSAL_S = 30.0
#: Exit status if something that was asked for could not be done.
EXIT_NOT_ALL = 1

app = application(no_args_is_help=True, summary="Manage a queue in Redis.")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAccess:
    """A queue, and the form of the output.

    Raises:
        ClientError: no Redis was named.
        QueueError: the settings for Redis cannot be used.
        Refusal: the name of the queue does not match the pattern of names.
    """

    redis: Redis = None
    queue: Queue = "default"
    login: RedisLogin
    json_output: Json = False
    settings: RedisSettings = field(init=False)
    keys: Keys = field(init=False)

    def __post_init__(self) -> None:
        settings = self.login.to(self.redis)
        if settings is None:
            raise ClientError("no Redis: give --redis URL, or set SPANSERVE_REDIS")
        object.__setattr__(self, "settings", settings)
        object.__setattr__(self, "keys", Keys(self.queue))

    def visit(self, work: Callable[[RedisClient, Keys], Awaitable[_T]]) -> _T:
        """Do something with the queue; from the start again while Redis refuses for a time.

        Raises:
            QueueError: Redis is away, or refuses.
        """

        async def there() -> _T:
            redis = self.settings.connect(keys=self.keys)
            try:
                return await patiently(lambda: work(redis, self.keys), REFUSAL_S, complain)
            finally:
                await redis.aclose()

        return asyncio.run(there())

    def show(self, content: Any, *tables: Rows | str) -> None:
        """Print what was found: for programs `content`, for people the rest."""
        if self.json_output:
            sys.stdout.write(json.dumps(content) + "\n")
            sys.stdout.flush()
            return
        console = Terminal()
        for table in tables:
            console.print(table)

    def clear(self) -> None:
        """Make room on a terminal for what is shown next."""
        if not self.json_output:
            Terminal().clear()  # without effect on what is not a terminal


def command(name: str, epilog: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a subcommand; it takes groups of options, `QueueAccess` among them."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        app.command(name, epilog=f"\b\n{epilog}")(grouped(function))
        return function

    return register


def pieces(items: Sequence[_T], what: str) -> Iterable[Sequence[_T]]:
    """Items in as many parts as they make pipelines; a bar on standard error where that takes long."""
    parts = [items[first : first + MAX_PIPELINE] for first in range(0, len(items), MAX_PIPELINE)]
    console = Terminal(stderr=True)
    return track(parts, what, console=console, transient=True, disable=not console.is_terminal)
