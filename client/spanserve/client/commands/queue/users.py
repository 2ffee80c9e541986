"""`spanserve queue users` and `spanserve queue load`: the users and their rights, and the scripts that they call."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spanserve.client.commands.queue.access import QueueAccess, command
from spanserve.contract.escape import escape
from spanserve.queue.calls import load_scripts
from spanserve.queue.users import ROLES, secrets_in, users_file


@command(
    "users",
    """Examples:
  spanserve queue users secrets > users.acl
  spanserve queue users > deploy/redis/users.acl.in
\b
Exit status: 0 printed, 2 a password is missing.""",
)
def users(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder with a file for each user, which holds its password: producer, worker, admin; producer-squad "
            "for one that may use only the queue squad. Without it @PRODUCER@ and so on stand for the passwords.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print the ACL file of Redis, for workers and clients of this release and of the one before.

    A user may run only its own scripts of these two releases. Producers cannot load any; workers do it for them.
    Give it to Redis (aclfile, ACL LOAD) before workers and clients are updated. Passwords appear as SHA-256 only.
    """
    secrets = {role: f"@{role.upper()}@" for role in ROLES} if folder is None else secrets_in(folder)
    sys.stdout.write("".join(f"{escape(line, sys.maxsize)}\n" for line in users_file(secrets).splitlines()))


@command(
    "load",
    """Examples:
  spanserve queue load --redis redis://localhost
\b
Exit status: 0 loaded, 2 no Redis, or a user who may not load scripts.""",
)
def load(*, access: QueueAccess) -> None:
    """Load into Redis the scripts of this release, and those that producers of the previous release call.

    Workers do so when they start. Use this for producers of this release if there are only older workers.
    """
    access.visit(lambda redis, _: load_scripts(redis))
    access.show({"loaded": True}, "the scripts are loaded")
