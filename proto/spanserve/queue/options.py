"""Command line options about Redis, one for every command that has them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from spanserve.options.terminal import complain
from spanserve.queue.connection import RedisSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisLogin:
    """How to log in to Redis."""

    redis_username: Annotated[
        str, typer.Option(envvar="SPANSERVE_REDIS_USERNAME", help="ACL user of Redis.")
    ] = ""
    redis_password_file: Annotated[
        Path | None,
        typer.Option(
            envvar="SPANSERVE_REDIS_PASSWORD_FILE", help="File with the user's password and nothing else."
        ),
    ] = None
    redis_ca: Annotated[
        Path | None, typer.Option(envvar="SPANSERVE_REDIS_CA", help="rediss: certificates to trust, PEM.")
    ] = None
    redis_cert: Annotated[
        Path | None, typer.Option(envvar="SPANSERVE_REDIS_CERT", help="rediss: client certificate, PEM.")
    ] = None
    redis_key: Annotated[
        Path | None, typer.Option(envvar="SPANSERVE_REDIS_KEY", help="rediss: client key, PEM.")
    ] = None

    redis_sentinel_password_file: Annotated[
        Path | None,
        typer.Option(
            envvar="SPANSERVE_REDIS_SENTINEL_PASSWORD_FILE",
            help="redis+sentinel: file with the Sentinels' password.",
        ),
    ] = None

    def to(self, url: str | None) -> RedisSettings | None:
        """The Redis at a URL; None without one.

        Raises:
            QueueError: the URL cannot be used, or a file cannot be read.
        """
        if not url:
            return None
        settings = RedisSettings(
            url=url,
            username=self.redis_username,
            password_file=self.redis_password_file,
            tls_ca=self.redis_ca,
            tls_cert=self.redis_cert,
            tls_key=self.redis_key,
            sentinel_password_file=self.redis_sentinel_password_file,
        )
        if settings.password_in_url and any(url in argument for argument in sys.argv):
            complain(
                "warning: everyone on this machine can see a password on the command line: put the address into "
                "SPANSERVE_REDIS, or give --redis-username and --redis-password-file"
            )
        return settings
