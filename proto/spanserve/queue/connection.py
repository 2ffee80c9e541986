"""Connections to Redis: from a URL and files, with our own retries instead of the library's.

A library that sends a write again by itself cannot know whether the first one had its effect; our scripts may be
sent again, and who calls them decides when.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider

from spanserve.queue.errors import QueueError, QueueFull, QueueUnavailable
from spanserve.queue.fresh_tls import fresh_tls

_T = TypeVar("_T")

#: Seconds a call may take, beyond what it blocks on purpose.
CALL_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5.0
#: Longest pause between two tries while Redis is away.
LONGEST_PAUSE_S = 5.0
#: What passes by itself: the server is away, starting, failing over, or has lost its scripts.
_PASSING = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.ReadOnlyError,
    exceptions.TryAgainError,
    exceptions.MasterDownError,
    exceptions.ClusterDownError,
    exceptions.NoScriptError,
    OSError,
)
#: No password, or a wrong one: kinds of ConnectionError that no waiting mends.
_DENIED = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)


#: What would end the part of a URL that holds user and password.
_UNQUOTED = re.compile(r"[/?#\[\]]")
#: Queries with secrets: redis-py takes every option of a connection as one.
_SECRET = re.compile(r"([?&#][^=&]*(?:pass|user)[^=&]*=)[^&]*", re.IGNORECASE)
#: What stands in the place of a port and is none: the rest of a login whose host was forgotten.
_NO_PORT = re.compile(r"^([^/?#\[:]*):(?!\d*(?:[/?#]|$)).*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Where Redis is, and how to get in. The password stays in its file and out of every text.

    Raises:
        QueueError: the URL is not one, or a file cannot be read.
    """

    #: redis://HOST:PORT/DB, rediss:// for TLS, unix:///PATH.
    url: str
    username: str = ""
    #: Holds the password and nothing else. Read at every connect, so that it may be changed.
    password_file: Path | None = None
    #: Read at every connect, as well.
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def __post_init__(self) -> None:
        scheme, _, rest = self.url.partition("://")
        if scheme not in ("redis", "rediss", "unix"):
            raise QueueError(f"{self.safe_url} is not a redis://, rediss:// or unix:// address")
        login = "" if scheme == "unix" else rest.rpartition("@")[0]
        if _UNQUOTED.search(login) or _is_broken(self.url):
            raise QueueError(
                f"{self.safe_url} cannot be read: in a user or password write / as %2F, ? as %3F, # as %23, [ as %5B "
                "and ] as %5D, or give --redis-username and --redis-password-file"
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise QueueError("the TLS certificate and its key go together")
        if self.tls_ca is not None and not self.url.startswith("rediss://"):
            raise QueueError(f"TLS files are given, but {self.safe_url} is not a rediss:// address")
        for path in (self.password_file, self.tls_ca, self.tls_cert, self.tls_key):
            if path is not None and not path.is_file():
                raise QueueError(f"{path} is not a file")

    @property
    def safe_url(self) -> str:
        """The URL without user and password, wherever they stand, be it a URL or not."""
        scheme, mark, rest = self.url.partition("://") if "://" in self.url else ("", "", self.url)
        _, at, place = rest.rpartition("@")
        place = _SECRET.sub(r"\1***", place if at else _NO_PORT.sub(r"\1:***", place))
        return f"{scheme}{mark}{'***' if at else ''}{at}{place}"

    def __repr__(self) -> str:
        return f"RedisSettings({self.safe_url})"

    def connect(self, *, timeout_s: float = CALL_TIMEOUT_S) -> Redis:
        """A client with connections of its own; it connects when it is used.

        Args:
            timeout_s: for one reply. A half-open connection is noticed after it.
        """
        options: dict[str, Any] = {}
        if self.url.startswith("rediss://"):
            options = {
                name: str(path)
                for name, path in (
                    ("ssl_ca_certs", self.tls_ca),
                    ("ssl_certfile", self.tls_cert),
                    ("ssl_keyfile", self.tls_key),
                )
                if path is not None
            }
        if self.password_file is not None:
            options["credential_provider"] = _PasswordFile(self.username, self.password_file)
        elif self.username:
            options["username"] = self.username
        try:
            client = Redis.from_url(
                self.url,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
                socket_timeout=timeout_s,
                socket_connect_timeout=min(timeout_s, CONNECT_TIMEOUT_S),
                **options,
            )
        except ValueError as error:
            raise QueueError(f"{self.safe_url} is not an address of a Redis: {error}") from None
        if self.url.startswith("rediss://"):
            client.connection_pool.connection_class = fresh_tls()
        return client


class _PasswordFile(CredentialProvider):
    """Reads the password anew for every connection; while that cannot be done, the last one counts."""

    def __init__(self, username: str, path: Path) -> None:
        self._username = username or "default"
        self._path = path
        self._last = ""

    def get_credentials(self) -> tuple[str, str]:
        try:
            self._last = self._path.read_text(encoding="utf-8").rstrip("\r\n") or self._last
        except (OSError, UnicodeDecodeError) as error:
            if not self._last:
                raise exceptions.AuthenticationError(f"{self._path} cannot be read: {error}") from None
        return self._username, self._last

    async def get_credentials_async(self) -> tuple[str, str]:
        return self.get_credentials()


def _is_broken(url: str) -> bool:
    """Whether a URL cannot be split into its parts."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        return True
    return False


async def guarded(call: Callable[..., Awaitable[_T]], *arguments: Any, **named: Any) -> _T:
    """Make a call to Redis that is not cut off half-way, and name its faults.

    A task that is cancelled inside a command would leave the reply to whoever uses the connection next
    (CVE-2023-28858), so the command runs to its end whatever becomes of the caller.

    Raises:
        QueueUnavailable: worth another try.
        QueueFull: at maxmemory.
        QueueError: not worth another try.
    """
    running = asyncio.ensure_future(call(*arguments, **named))
    running.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to ask
    try:
        return await asyncio.shield(running)
    except (exceptions.RedisError, OSError) as error:
        raise fault_of(error) from None


def fault_of(error: BaseException) -> QueueError:
    """What an exception of redis-py, or an error among replies, means for the caller."""
    text = str(error) or type(error).__name__
    if isinstance(error, exceptions.NoPermissionError) and "'evalsha'" in text:
        return QueueError(
            f"Redis does not let us in: {text}. It may not know the scripts of this release: make its users file anew "
            "(spanserve queue users) before workers and clients are updated"
        )
    if isinstance(error, _DENIED) or "NOAUTH" in text or "WRONGPASS" in text:
        return QueueError(f"Redis does not let us in: {text}")
    if isinstance(error, exceptions.OutOfMemoryError) or "OOM command not allowed" in text:
        return QueueFull("Redis is at maxmemory")
    if isinstance(error, _PASSING) or "NOGROUP" in text or "LOADING" in text or "READONLY" in text:
        return QueueUnavailable(f"Redis: {text}")
    return QueueError(f"Redis: {text}")
