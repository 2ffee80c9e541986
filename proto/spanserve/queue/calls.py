"""The Lua scripts, and calls of many of them in one round trip."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from spanserve.queue.connection import fault_of, guarded
from spanserve.queue.errors import QueueError

#: Scripts sent in one round trip: a server that runs them answers nobody else.
MAX_PIPELINE = 64

Argument = str | bytes | int


@dataclass(frozen=True, slots=True)
class Script:
    """A script as it is loaded: the prelude, then its file."""

    name: str
    body: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script of a name, see layout.md."""
    folder = files("spanserve.queue") / "scripts"
    body = "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("prelude", name))
    return Script(name, body, hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class Call:
    """One script with its keys and arguments."""

    name: str
    keys: Sequence[str]
    arguments: Sequence[Argument]


async def evaluate(redis: Redis, call: Call) -> Any:
    """Run one script.

    Raises:
        QueueError: see `guarded`.
    """
    (reply,) = await evaluate_all(redis, [call])
    if isinstance(reply, QueueError):
        raise reply
    return reply


async def evaluate_all(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    """Run scripts in as few round trips as their number allows; one reply each, in order.

    A script that the server has lost is loaded and its calls are sent again: scripts may be.

    Returns:
        Replies; a `QueueError` in the place of a call that failed while others did not.

    Raises:
        QueueUnavailable: the connection failed. Any of the calls may have had its effect.
    """
    replies: list[Any] = []
    for first in range(0, len(calls), MAX_PIPELINE):
        part = calls[first : first + MAX_PIPELINE]
        found = await _send(redis, part)
        lost = [place for place, reply in enumerate(found) if isinstance(reply, NoScriptError)]
        if lost:
            await _load(redis, {part[place].name for place in lost})
            again = await _send(redis, [part[place] for place in lost])
            for place, reply in zip(lost, again, strict=True):
                found[place] = reply
        replies += [fault_of(reply) if isinstance(reply, ResponseError) else reply for reply in found]
    return replies


async def _send(redis: Redis, calls: Iterable[Call]) -> list[Any]:
    pipeline = redis.pipeline(transaction=False)
    for call in calls:
        pipeline.evalsha(script(call.name).sha, len(call.keys), *call.keys, *call.arguments)
    return await guarded(lambda: pipeline.execute(raise_on_error=False))


async def _load(redis: Redis, names: Iterable[str]) -> None:
    for name in names:
        await guarded(redis.script_load, script(name).body)
