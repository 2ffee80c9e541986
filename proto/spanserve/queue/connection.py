"""Connections to Redis: from a URL and files, with our own retries instead of the library's.

A library that repeats a write by itself cannot know whether the first one took effect; our scripts may be
repeated, and their callers decide when.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider

from spanserve.queue.address import Address
from spanserve.queue.errors import QueueBroken, QueueError, QueueFull, QueueRefusing, QueueUnavailable
from spanserve.queue.keys import Keys
from spanserve.queue.primary import pool_for

_T = TypeVar("_T")

#: Seconds a call may take, beyond what it blocks on purpose.
CALL_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5.0
#: Longest pause between two tries while Redis is away.
LONGEST_PAUSE_S = 5.0
#: Errors of a server that pass by themselves: it is starting, failing over, busy, or has lost its scripts.
_REFUSING = (
    exceptions.BusyLoadingError,
    exceptions.ReadOnlyError,
    exceptions.TryAgainError,
    exceptions.AskError,
    exceptions.MasterDownError,
    exceptions.ClusterDownError,
    exceptions.NoScriptError,
)
#: The same as words: redis-py has no class for some, and before 7.0 they stand in the middle of what a script says.
_REFUSING_WORDS = re.compile(
    r"(?:^|[ '-])(NOREPLICAS|BUSY|MISCONF|LOADING|READONLY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|NOGROUP|NOSCRIPT) "
)
#: No password, or a wrong one: kinds of ConnectionError that waiting does not cure.
_DENIED = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Where Redis is, and how to get in. Passwords stay in their files and out of every text.

    Raises:
        QueueError: the URL cannot be used, or a file cannot be read.
    """

    #: See `Address`.
    url: str = field(repr=False)
    username: str = ""
    #: Holds the password and nothing else. Read at every connect, so that it may be changed.
    password_file: Path | None = None
    #: Read at every connect, as well.
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    #: That of Sentinels, where they want one.
    sentinel_password_file: Path | None = None
    address: Address = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", Address.parse(self.url))
        if (self.tls_cert is None) != (self.tls_key is None):
            raise QueueError("the TLS certificate and its key go together")
        if self.tls_ca is not None and not self.address.tls:
            raise QueueError(f"TLS files are given, but {self.safe_url} is not a rediss:// address")
        if self.sentinel_password_file is not None and self.address.kind != "sentinel":
            raise QueueError(
                f"a password of Sentinels is given, but {self.safe_url} is not an address of Sentinels"
            )
        files = (self.password_file, self.tls_ca, self.tls_cert, self.tls_key, self.sentinel_password_file)
        for path in files:
            if path is not None and not path.is_file():
                raise QueueError(f"{path} is not a file")

    @property
    def safe_url(self) -> str:
        """The URL without user and password."""
        return str(self.address)

    @property
    def password_in_url(self) -> bool:
        return bool(self.address.password)

    def __repr__(self) -> str:
        return f"RedisSettings({self.safe_url})"

    def connect(self, *, timeout_s: float = CALL_TIMEOUT_S, keys: Keys | None = None) -> Redis:
        """A client with connections of its own; it connects when it is used.

        Args:
            timeout_s: for one reply. A half-open connection is noticed after it.
            keys: those of the queue that it is for; they say which node of a cluster.
        """
        connection: dict[str, Any] = {
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": timeout_s,
            "socket_connect_timeout": min(timeout_s, CONNECT_TIMEOUT_S),
            "encoding_errors": "surrogateescape",  # what a hand wrote into an entry goes back as it came
            **self._login(),
            **self._tls(),
        }
        asking: dict[str, Any] = {}
        if self.sentinel_password_file is not None:
            asking["credential_provider"] = _PasswordFile("", self.sentinel_password_file)
        return Redis.from_pool(pool_for(self.address, keys.config if keys else "", connection, asking))

    def _login(self) -> dict[str, Any]:
        username = self.username or self.address.username
        if self.password_file is not None:
            return {"credential_provider": _PasswordFile(username, self.password_file)}
        return {"username": username or None, "password": self.address.password or None}

    def _tls(self) -> dict[str, str]:
        files = {"ssl_ca_certs": self.tls_ca, "ssl_certfile": self.tls_cert, "ssl_keyfile": self.tls_key}
        return {name: str(path) for name, path in files.items() if path is not None and self.address.tls}


class _PasswordFile(CredentialProvider):
    """Reads the password again for every connection; while that cannot be done, the last one counts."""

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


async def guarded(call: Callable[..., Awaitable[_T]], *arguments: Any, **named: Any) -> _T:
    """Make a call to Redis that is not cut off half-way, and name its faults.

    A task that is cancelled inside a command would leave the reply to whoever uses the connection next
    (CVE-2023-28858), so the command runs to its end whatever becomes of the caller.

    Raises:
        QueueUnavailable: worth another try; as QueueRefusing the server is there.
        QueueFull: at maxmemory.
        QueueBroken: a key holds something of another type.
        QueueError: not worth another try.
    """
    running = asyncio.ensure_future(call(*arguments, **named))
    running.add_done_callback(lambda done: done.cancelled() or done.exception())  # its caller may be gone
    try:
        return await asyncio.shield(running)
    except (exceptions.RedisError, OSError) as error:
        raise fault_of(error) from None


def fault_of(error: BaseException) -> QueueError:
    """What an exception of redis-py, or an error among replies, means for the caller."""
    text = str(error) or type(error).__name__
    if isinstance(error, exceptions.NoPermissionError) and "'evalsha'" in text:
        return QueueError(
            f"Redis denies access: {text}. Its ACL may not list the scripts of this release: "
            "write the users file again "
            "(spanserve queue users) before workers and clients are updated"
        )
    if isinstance(error, _DENIED) or "NOAUTH" in text or "WRONGPASS" in text:
        return QueueError(f"Redis denies access: {text}")
    if isinstance(error, exceptions.OutOfMemoryError) or "OOM command not allowed" in text:
        return QueueFull("Redis is at maxmemory")
    if isinstance(error, exceptions.MovedError):
        node = f"{error.host}:{error.port}"
        return QueueError(
            f"this Redis is a node of a cluster, and {node} has the queue (MOVED): give the cluster, as redis+cluster://{node}"
        )
    if found := _REFUSING_WORDS.search(text):
        return QueueRefusing(f"Redis: {text[found.start(1) :]}")
    if isinstance(error, _REFUSING):  # of which redis-py takes the word off
        return QueueRefusing(f"Redis: {error.status_code or type(error).__name__} {text}")
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return QueueUnavailable(f"Redis: {text}")
    return QueueBroken(f"Redis: {text}")
