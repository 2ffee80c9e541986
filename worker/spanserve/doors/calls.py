"""Single calls: tasks come in together and their results go out together, whatever protocol carries them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator

from spanserve.contract import ErrorCode, Refusal
from spanserve.doors.door import Inside
from spanserve.doors.identity import Identity
from spanserve.doors.observer import DoorObserver
from spanserve.engine.admission import Account, Caller
from spanserve.engine.state import State

#: Milliseconds after which a worker that is not ready is asked again.
NOT_READY_RETRY_MS = 1000
#: Seconds after which a call is refused for want of room, at least and at most.
REFUSED_AFTER_S = 0.5, 1.5
#: All single calls of a connection are one stream among those that share it.
STREAM = "calls"


class Calls:
    """Lets the single calls of one door in; those of a caller on one connection share an account."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        #: By identity and connection, with the number of calls that are open.
        self._accounts: dict[tuple[str, str], tuple[Account, int]] = {}
        self._leaving = False
        self._draining = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether balancers should send calls here."""
        return not self._leaving and self.state is State.READY

    @property
    def state(self) -> State:
        """The worker as this door shows it."""
        return State.DRAINING if self._draining.is_set() else self._inside.engine.lifecycle.state

    def leave(self) -> None:
        """Report not ready, so that balancers look elsewhere; callers that still come are let in."""
        self._leaving = True

    def drain(self) -> None:
        """Let no one else in; calls that are in go on."""
        self._leaving = True
        self._draining.set()

    @contextlib.contextmanager
    def enter(self, identity: Identity, connection: str) -> Iterator[Account]:
        """Let a call in, before anything is done for it; refusals inside are reported to observers.

        Raises:
            Refusal: UNAVAILABLE: the worker is not ready. RESOURCE_EXHAUSTED: too many calls wait already.
        """
        try:
            if self.state is not State.READY:
                raise Refusal(
                    ErrorCode.UNAVAILABLE,
                    f"the worker is {self.state.value}",
                    retry_after_ms=NOT_READY_RETRY_MS,
                )
            with self._account(identity, connection) as account:
                self._inside.admission.check(account)
                yield account
        except Refusal as refusal:
            self._inside.engine.observers.tell(DoorObserver.item_refused, refusal.code)
            raise

    async def hold_back(self) -> None:
        """Wait a moment, not all calls alike, before a call is refused for want of room.

        Refusing takes nearly as long as answering: callers that come again at once, some hundred at a time, would keep
        the worker busy with it. One that drains does not wait: no caller can come again.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(*REFUSED_AFTER_S)):  # noqa: S311 - no secret
                await self._draining.wait()

    @contextlib.contextmanager
    def _account(self, identity: Identity, connection: str) -> Iterator[Account]:
        key = identity.name, connection
        account, calls = self._accounts.get(key) or (self._open(identity, connection), 0)
        self._accounts[key] = account, calls + 1
        try:
            yield account
        finally:
            account, calls = self._accounts.pop(key)
            if calls > 1:
                self._accounts[key] = account, calls - 1
            else:
                self._inside.admission.close(account)

    def _open(self, identity: Identity, connection: str) -> Account:
        return self._inside.admission.open(Caller(identity.name, identity.weight, connection, STREAM))
