"""What takes long is done piece by piece, in turns, and never for more than a part of the time.

All connections share one loop. Without turns, a few callers with large bodies, or with bodies in chunks of a byte,
would have all of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

#: Seconds of processor time that a connection may be parsed for at a time; beyond it, the rest waits for its turn.
COSTLY_S = 0.002
#: Numbers, texts, lists and objects of JSON that may take as long.
COSTLY_PARTS = 4096
#: After each piece the loop is for others, for so many times as long as the piece took.
REST = 3.0

T = TypeVar("T")


class Piece(Protocol):
    """Something that is done in its turn."""

    def go_on(self) -> float:
        """Do it, or some of it; returns the seconds of processor time that took."""
        ...


class _Work(Generic[T]):
    """A piece whose result somebody waits for."""

    def __init__(self, work: Callable[[], T], done: asyncio.Future[T]) -> None:
        self._work = work
        self._done = done

    def go_on(self) -> float:
        began_s = time.thread_time()
        try:
            self._done.set_result(self._work())
        except BaseException as error:  # also what a parser in Rust panics with: its caller is told
            self._done.set_exception(error)
        return time.thread_time() - began_s


class Turns:
    """Callers with pieces to do, one piece of each in turn.

    Args:
        later: calls a function after so many seconds, as `loop.call_later` does.
    """

    def __init__(self, later: Callable[[float, Callable[[], None]], Any]) -> None:
        self._later = later
        #: Caller -> its pieces, the oldest first; the caller whose turn is next comes first.
        self._pieces: dict[str, dict[Piece, None]] = {}
        self._rest = REST
        self._armed = False

    def __len__(self) -> int:
        return sum(map(len, self._pieces.values()))

    def enter(self, caller: str, piece: Piece, spent_s: float = 0.0) -> None:
        """Put a piece at the end of what its caller has to do, after something that took so long."""
        self._pieces.setdefault(caller, {})[piece] = None
        self._arm(spent_s)

    def leave(self, caller: str, piece: Piece) -> None:
        """Take a piece out; of no effect on one that is not there."""
        pieces = self._pieces.get(caller, {})
        pieces.pop(piece, None)
        if not pieces:
            self._pieces.pop(caller, None)

    async def do(self, caller: str, work: Callable[[], T]) -> T:
        """Do something as one piece. Returns what it returns, raises what it raises; left undone if cancelled."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        piece = _Work(work, done)
        self.enter(caller, piece)
        try:
            return await done
        finally:
            self.leave(caller, piece)

    def hurry(self) -> None:
        """Rest no more between pieces: no new ones come."""
        self._rest = 0.0

    def _arm(self, spent_s: float) -> None:
        """Do the next piece after a rest; where one goes on already, that one decides."""
        if not self._armed:
            self._armed = True
            self._later(self._rest * spent_s, self._next)

    def _next(self) -> None:
        self._armed = False
        if not self._pieces:
            return
        caller, pieces = next(iter(self._pieces.items()))
        piece = next(iter(pieces))
        self.leave(caller, piece)
        if pieces:  # the others of this caller are last now
            self._pieces[caller] = self._pieces.pop(caller)
        spent_s = 0.0
        try:
            spent_s = piece.go_on()
        finally:
            self._arm(spent_s)
