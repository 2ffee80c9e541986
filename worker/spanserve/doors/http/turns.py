"""What takes long waits for its turn: it is done piece after piece, in a part of the time.

All connections share one loop. Without turns, a few with large bodies, or with bodies in chunks of a byte, would have
all of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

#: Seconds of processor time that parsing may take at a time; beyond it a connection waits for its turn.
DEAR_S = 0.002
#: Bytes of JSON that may take as long, and longer.
DEAR_BYTES = 16 * 1024
#: After each piece the loop is for others, for so many times as long as it took.
REST = 3.0

T = TypeVar("T")


class Waiting(Protocol):
    """One that waits for its turn."""

    def go_on(self) -> float:
        """Do a piece; returns the seconds of processor time it took."""
        ...


class _Work(Generic[T]):
    """A piece that somebody waits for."""

    def __init__(self, work: Callable[[], T], done: asyncio.Future[T]) -> None:
        self._work = work
        self._done = done

    def go_on(self) -> float:
        if self._done.done():  # its caller has gone
            return 0.0
        began_s = time.thread_time()
        try:
            self._done.set_result(self._work())
        except Exception as error:
            self._done.set_exception(error)
        return time.thread_time() - began_s


class Turns:
    """The line of one server.

    Args:
        later: calls a function after so many seconds, as `loop.call_later` does.
    """

    def __init__(self, later: Callable[[float, Callable[[], None]], Any]) -> None:
        self._later = later
        self._line: dict[Waiting, None] = {}
        self._armed = False

    def __len__(self) -> int:
        return len(self._line)

    def wait(self, who: Waiting, spent_s: float) -> None:
        """Stand at the end of the line, after something that took so long."""
        self._line[who] = None
        self._arm(spent_s)

    async def do(self, work: Callable[[], T]) -> T:
        """Do something in one piece, in its turn. Returns what it returns, raises what it raises."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.wait(_Work(work, done), 0.0)
        return await done

    def leave(self, who: Waiting) -> None:
        """Wait no more; of no effect on one that does not."""
        self._line.pop(who, None)

    def _arm(self, spent_s: float) -> None:
        if not self._armed:
            self._armed = True
            self._later(REST * spent_s, self._next)

    def _next(self) -> None:
        self._armed = False
        if not self._line:
            return
        first = next(iter(self._line))
        del self._line[first]
        self._arm(first.go_on())
