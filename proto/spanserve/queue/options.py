"""Command line options about Redis, one for every command that has them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spanserve.queue.connection import RedisSettings

RedisUsername = Annotated[str, typer.Option(envvar="SPANSERVE_REDIS_USERNAME", help="ACL user of Redis.")]
RedisPasswordFile = Annotated[
    Path | None,
    typer.Option(envvar="SPANSERVE_REDIS_PASSWORD_FILE", help="File with its password and nothing else."),
]
RedisCa = Annotated[
    Path | None, typer.Option(envvar="SPANSERVE_REDIS_CA", help="rediss: certificates to trust, PEM.")
]
RedisCert = Annotated[
    Path | None, typer.Option(envvar="SPANSERVE_REDIS_CERT", help="rediss: our certificate, PEM.")
]
RedisKey = Annotated[Path | None, typer.Option(envvar="SPANSERVE_REDIS_KEY", help="rediss: our key, PEM.")]


def redis_of(
    url: str, username: str, password_file: Path | None, ca: Path | None, cert: Path | None, key: Path | None
) -> RedisSettings:
    """The Redis named on the command line."""
    return RedisSettings(
        url=url, username=username, password_file=password_file, tls_ca=ca, tls_cert=cert, tls_key=key
    )
