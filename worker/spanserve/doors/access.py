"""Access: which callers the files let in at this moment, on every listener alike.

files --Watched--> AccessList, TlsMaterial --Gate (one a listener)--> Identity, or Unidentified / NotAllowed
"""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from spanserve.access import AccessList
from spanserve.doors.certificate import not_after, read_pem, server_context
from spanserve.doors.listener import AccessSettings
from spanserve.doors.observer import AccessObserver
from spanserve.doors.watched import Watched
from spanserve.engine.observer import Observers

#: Seconds between two looks at the files and at the callers: a withdrawn credential is out after at most one.
LOOK_S = 5.0
#: Seconds between two log lines about the same trouble.
REPEAT_S = 60.0
#: A file that is being replaced may be broken for one look.
FAILURES_FORGIVEN = 1
#: Expiries that metrics name, the nearest: names of callers come from a list that may be long.
MAX_EXPIRIES = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """Key, certificates and client CA that go together, in PEM."""

    key: bytes
    chain: bytes
    client_ca: bytes | None

    @classmethod
    def read(cls, key: bytes, chain: bytes, client_ca: bytes | None = None) -> TlsMaterial:
        """Check that they go together.

        Raises:
            ValueError: they do not; says why.
        """
        server_context(key, chain, client_ca)
        return cls(key, chain, client_ca)

    def context(self, *, certificates: bool) -> ssl.SSLContext:
        """For a server of the standard library."""
        return server_context(self.key, self.chain, self.client_ca if certificates else None)

    @property
    def authorities(self) -> frozenset[bytes]:
        """The client CA's certificates, in DER."""
        return frozenset(read_pem(self.client_ca.decode("ascii"))) if self.client_ca else frozenset()

    def expiries(self) -> Iterator[tuple[str, str, float]]:
        """Kind, name and Unix time of what is in it."""
        yield "certificate", "", min(map(not_after, read_pem(self.chain.decode("ascii"))))
        if self.client_ca:
            yield "client_ca", "", min(map(not_after, read_pem(self.client_ca.decode("ascii"))))


class Access:
    """The files in force.

    Args:
        observers: notified of what expires when, and of what cannot be used.
        others: files that are read elsewhere, and only checked here.
        clock: Unix time in seconds.
        sleep: waits between two checks.

    Raises:
        SettingsError: a file cannot be read or used.
    """

    def __init__(
        self,
        settings: AccessSettings | None = None,
        observers: Observers | None = None,
        others: Sequence[Watched[Any]] = (),
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.settings = settings = settings or AccessSettings()
        self.clock = clock
        self._observers = observers or Observers()
        self._sleep = sleep
        self._subscribers: set[Callable[[], None]] = set()
        self._told: dict[str, float] = {}
        self._list: Watched[AccessList] | None = None
        self._tls: Watched[TlsMaterial] | None = None
        #: Grows whenever an authority that let clients in is not in the client CA any more.
        self.withdrawals = 0
        if settings.tokens is not None:
            self._list = Watched("access list", [settings.tokens], _read_list)
            _check_mode(settings.tokens)
        if settings.tls_cert is not None and settings.tls_key is not None:
            paths = [settings.tls_key, settings.tls_cert, *filter(None, [settings.tls_client_ca])]
            self._tls = Watched("TLS files", paths, TlsMaterial.read)
        self._others = tuple(others)
        self._check_expiries()

    @property
    def names(self) -> AccessList | None:
        """The callers that are let in by name; None: names are not needed."""
        return self._list.value if self._list else None

    @property
    def tls(self) -> TlsMaterial:
        """What servers show, and whom they believe. There is one wherever a listener speaks TLS."""
        assert self._tls is not None, "a listener with TLS is only made where there are files for it"
        return self._tls.value

    def subscribe(self, look_again: Callable[[], None]) -> Callable[[], None]:
        """Call this after every look, whether anything has changed or time alone has passed. Returns what ends that."""
        self._subscribers.add(look_again)
        return lambda: self._subscribers.discard(look_again)

    async def watch(self) -> None:
        """Look at the files again and again, until cancelled."""
        while True:
            await self._sleep(LOOK_S)
            try:
                await self.look()
            except Exception as error:  # whatever it is, what is withdrawn later must still go
                log.error("internal error", exc_info=error)

    async def look(self) -> None:
        """Read files that have changed, and have every listener check who is still let in."""
        before = self.tls.authorities if self._tls else frozenset()
        for watched in self._watched():
            if await asyncio.to_thread(watched.look):
                log.info("credentials read again", what=watched.kind, path=watched.names)
            if watched.failures > FAILURES_FORGIVEN:
                self._alarm(
                    "credentials cannot be used", watched.kind, path=watched.names, problem=watched.problem
                )
        if self._tls and before - self.tls.authorities:
            self.withdrawals += 1
        self.report()
        self._check_expiries()
        for look_again in tuple(self._subscribers):
            look_again()

    def report(self) -> None:
        """Tell observers what is in force."""
        nearest = sorted(self._expiries(), key=lambda expiry: expiry[2])[:MAX_EXPIRIES]
        broken = {watched.kind: watched.failures > FAILURES_FORGIVEN for watched in self._watched()}
        self._observers.tell(AccessObserver.credentials_seen, nearest, broken)

    def denied(self, reason: str, scheme: str) -> None:
        """Note that a caller was not let in."""
        self._observers.tell(AccessObserver.caller_denied, reason)
        self._alarm("caller denied", f"{reason} {scheme}", reason=reason, scheme=scheme)

    def _watched(self) -> list[Watched[Any]]:
        return [*filter(None, [self._list]), *filter(None, [self._tls]), *self._others]

    def _expiries(self) -> Iterator[tuple[str, str, float]]:
        if self._tls:
            yield from self._tls.value.expiries()
        for entry in self.names.entries if self.names else ():
            if entry.expires is not None:
                yield "token" if entry.digest else "name", entry.id, entry.expires

    def _check_expiries(self) -> None:
        for kind, _, expires in self._tls.value.expiries() if self._tls else ():
            if expires <= self.clock():
                when = datetime.fromtimestamp(expires, UTC).isoformat()
                self._alarm(
                    "certificate expired", kind, path=self._tls.names if self._tls else "", expired=when
                )

    def _alarm(self, event: str, cause: str, **facts: object) -> None:
        """Log a trouble, once a minute each."""
        now = self.clock()
        key = f"{event} {cause}"
        if now - self._told.get(key, -REPEAT_S) >= REPEAT_S:
            self._told[key] = now
            log.warning(event, what=cause, **facts)


def _read_list(content: bytes) -> AccessList:
    return AccessList.parse(content.decode("utf-8"))


def _check_mode(path: Path) -> None:
    """Warn where other users could add themselves to the list."""
    found = path.stat()
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_uid not in (0, os.geteuid()):
        log.warning(
            "others may write the access list",
            path=str(path),
            mode=f"{stat.S_IMODE(found.st_mode):04o}",
            owner=found.st_uid,
        )
