"""The users of a Redis that carries queues: what each may call, and the ACL file that says so.

A script runs with the rights of its caller, so a user has the commands that its calls send and those that its scripts
run, and of scripts only those of this release and of the one before, by their SHA. Nobody can run their own scripts;
producers cannot load any either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spanserve.queue import previous
from spanserve.queue.calls import script
from spanserve.queue.errors import QueueError
from spanserve.queue.keys import Keys

#: Nobody comes in without a name and a password.
_DEFAULT: Final = "user default off resetkeys resetchannels -@all"


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of user."""

    #: Scripts that it calls.
    scripts: tuple[str, ...]
    #: Commands that it sends, and that those scripts run.
    commands: tuple[str, ...]


_RECORDS: Final = (
    *("cluster|slots", "time", "exists", "del", "pexpire", "hget", "hmget", "hset", "hdel", "hincrby"),
    *("xadd", "xack", "xdel", "xlen", "xrange", "xpending", "zadd", "zrem"),
)

#: What scripts of the previous release run, and those of this one do not.
_BEFORE: Final = {"producer": ("zcard",), "worker": ("xinfo|stream",)}

ROLES: Final = {
    # Submits tasks, reads their ends and results, withdraws its tasks. Cannot lease.
    "producer": Role(
        ("submit", "cancel"),
        (
            *_RECORDS,
            *("hgetall", "hsetnx", "hexists", "xread", "xinfo|groups"),
            *("zcount", "zrevrange", "zremrangebyscore"),
        ),
    ),
    # Makes the queue, leases tasks and ends them. INFO shows whether Redis would evict jobs.
    "worker": Role(
        (
            *("provision", "claim", "reclaim", "renew", "finish", "dead", "release"),
            *("mark", "unmark", "beat", "leave"),
        ),
        (
            *("script|load", "info"),
            *_RECORDS,
            *("hsetnx", "hexists", "xread", "xclaim", "xreadgroup", "xgroup|create", "xgroup|delconsumer"),
            *("xinfo|groups", "xinfo|consumers", "zremrangebyscore"),
        ),
    ),
    # Looks after queues: spanserve queue. ACL LOAD takes up new passwords, PING is for health checks.
    "admin": Role(
        ("cancel", "replay", "purge"),
        (
            *("script|load", "info", "ping", "acl|load"),
            *_RECORDS,
            *("hgetall", "hsetnx", "xinfo|groups", "zcount", "zrevrange", "zscan"),
        ),
    ),
}


def users_file(secrets: Mapping[str, str]) -> str:
    """The ACL file of Redis, a line for each user: neither comments nor broken lines are allowed in it.

    Args:
        secrets: what stands for the password of each user. A user is a role, or ROLE-QUEUE for one that is shut into a
            queue.

    Raises:
        QueueError: a user that is neither.
        Refusal: a queue that cannot be one.
    """
    return "".join(f"{line}\n" for line in (_DEFAULT, *(_line(name, it) for name, it in secrets.items())))


def secrets_in(folder: Path) -> dict[str, str]:
    """The SHA-256 of each password in a folder: a file for each user, with its password and nothing else.

    Raises:
        QueueError: it is not a folder, a role has no file, or a file no password.
    """
    if not folder.is_dir():
        raise QueueError(f"{folder} is not a folder")
    names = sorted(path.name for path in folder.iterdir())
    of_role = {role: [name for name in names if name.partition("-")[0] == role] for role in ROLES}
    for role, found in of_role.items():
        if not found:
            raise QueueError(f"{folder} holds no password of a {role}: write one into {folder / role}")
    return {name: _digest(folder / name) for found in of_role.values() for name in found}


def _digest(path: Path) -> str:
    try:
        password = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise QueueError(f"{path} cannot be read: {error.strerror}") from None
    if not password:
        raise QueueError(f"{path} holds no password")
    return f"#{hashlib.sha256(password).hexdigest()}"


def _line(name: str, secret: str) -> str:
    role_name, _, queue = name.partition("-")
    role = ROLES.get(role_name)
    if role is None:
        raise QueueError(
            f"{name} is not a user: one is {', '.join(ROLES)}, or one of them with - and a queue"
        )
    keys = Keys(queue).tag if queue else "{q:*}"
    shas = [sha for name in role.scripts for sha in _shas(name)]
    rights = [
        f"+{command}"
        for command in (*(f"evalsha|{sha}" for sha in shas), *role.commands, *_BEFORE.get(role_name, ()))
    ]
    return " ".join(
        ("user", name, "on", secret, "resetkeys", f"~{keys}:*", "resetchannels", "-@all", *rights)
    )


def _shas(name: str) -> list[str]:
    """Of a script in this release, and in the one before."""
    return list(dict.fromkeys(filter(None, (script(name).sha, previous.SHAS.get(name)))))
