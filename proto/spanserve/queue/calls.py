"""The Lua scripts, and calls of many of them in one round trip."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, NoScriptError, ResponseError

from spanserve.queue import previous
from spanserve.queue.connection import fault_of, guarded
from spanserve.queue.errors import NoScript, QueueError

#: Scripts sent in one round trip: a server that runs them answers no one else.
MAX_PIPELINE = 64

#: Every script there is; see layout.md.
SCRIPTS = (
    *("provision", "submit", "claim", "reclaim", "renew", "finish", "dead", "release"),
    *("cancel", "replay", "purge", "mark", "unmark", "beat", "leave"),
)
#: Those that are called by users who may not load any.
OF_PRODUCERS = ("submit", "cancel")

Argument = str | bytes | int


@dataclass(frozen=True, slots=True)
class Script:
    """A script as it is loaded: what it shares with others, then its file."""

    name: str
    body: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script of a name, see layout.md."""
    return _script(name, "")


@cache
def previous_script(name: str) -> Script:
    """The script of producers of the previous release."""
    return _script(name, "previous/")


def parts_of(name: str) -> tuple[str, ...]:
    """The files that a script is loaded from, in order; those of producers have no more than they need."""
    return ("prelude", name) if name in OF_PRODUCERS else ("prelude", "workers", name)


def _script(name: str, folder: str) -> Script:
    scripts = files("spanserve.queue") / "scripts"
    parts = (scripts / f"{folder}{part}.lua" for part in parts_of(name))
    body = "\n".join(part.read_text(encoding="utf-8") for part in parts)
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

    Scripts that the server has lost are loaded, and calls of them are sent again: they may be.

    Returns:
        Replies; a `QueueError` in the place of a call that failed while others did not.

    Raises:
        QueueUnavailable: the connection failed. Any of the calls may have had its effect.
        NoScript: the server has lost a script, and this user may not load it.
    """
    replies: list[Any] = []
    for first in range(0, len(calls), MAX_PIPELINE):
        part = calls[first : first + MAX_PIPELINE]
        found = await _send(redis, part)
        lost = [place for place, reply in enumerate(found) if isinstance(reply, NoScriptError)]
        if lost:
            again = [part[place] for place in lost]
            for place, reply in zip(lost, await _load_and_send(redis, again), strict=True):
                found[place] = reply
        replies += [fault_of(reply) if isinstance(reply, ResponseError) else reply for reply in found]
    return replies


async def _load_and_send(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    """Load all scripts and send calls right after them, so that a server that loses them again has no time to."""
    wanted = {call.name for call in calls}
    bodies = _bodies(sorted(SCRIPTS, key=wanted.__contains__))
    replies = await _send(redis, calls, bodies)
    loads, found = replies[: len(bodies)], replies[len(bodies) :]
    for call, reply in zip(calls, found, strict=True):
        if isinstance(reply, NoScriptError):
            _look_at(loads, call.name)
    return found


async def _send(redis: Redis, calls: Iterable[Call], bodies: Iterable[str] = ()) -> list[Any]:
    """Load scripts, then run some, in one round trip; the replies in order."""
    pipeline: Any = redis.pipeline(transaction=False)
    for body in bodies:
        pipeline.script_load(body)
    for call in calls:
        pipeline.evalsha(script(call.name).sha, len(call.keys), *call.keys, *call.arguments)
    return await guarded(lambda: pipeline.execute(raise_on_error=False))


async def load_scripts(redis: Redis) -> None:
    """Give the server every script, including those that producers of the previous release call.

    A user that may load scripts does so for those that may not: when it starts, and when Redis has lost them.

    Raises:
        NoScript: this user may not; says that another has to.
        QueueError: see `guarded`.
    """
    _look_at(await _send(redis, (), _bodies(SCRIPTS)), "submit")


def _bodies(names: Sequence[str]) -> list[str]:
    """What is loaded: scripts of producers of the previous release, then these."""
    before = [previous_script(name).body for name in OF_PRODUCERS if name in previous.SHAS]
    return before + [script(name).body for name in names]


def _look_at(loads: Sequence[Any], wanted: str) -> None:
    """Raise the server's reason for not loading scripts, of which one is wanted."""
    for reply in loads:
        if isinstance(reply, NoPermissionError):
            raise NoScript(
                f"Redis does not have the script {wanted} of this release (NOSCRIPT): a worker of this release loads "
                "it when it starts, and within seconds when Redis has lost it"
            )
        if isinstance(reply, ResponseError):
            raise fault_of(reply)
