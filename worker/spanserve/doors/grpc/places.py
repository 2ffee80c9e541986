"""Places for calls that wait: a fixed number for all; whoever has most of them gives one up to a caller with fewer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class NoPlace(Exception):
    """All are taken, or this one has gone to another connection."""


class _Place:
    __slots__ = ("lost", "timeout")

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self.timeout = timeout
        self.lost = False


class Places:
    """Counts them by connection.

    Args:
        most: there are.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, dict[_Place, None]] = {}  # by connection, the oldest first
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @asynccontextmanager
    async def take(self, connection: str, timeout_s: float) -> AsyncIterator[None]:
        """Wait inside, for so long.

        Raises:
            NoPlace: there is none, or others needed it.
            TimeoutError: the time is up.
        """
        if self._count >= self._most and not self._make_room(connection):
            raise NoPlace
        place = _Place(asyncio.timeout(timeout_s))
        self._count += 1
        own = self._taken.setdefault(connection, {})
        own[place] = None
        try:
            async with place.timeout:
                yield
        except TimeoutError:
            if place.lost:
                raise NoPlace from None
            raise
        finally:
            self._count -= 1
            del own[place]
            if not own and self._taken.get(connection) is own:
                del self._taken[connection]

    def _make_room(self, connection: str) -> bool:
        most = max(self._taken.values(), key=len)
        if len(most) <= len(self._taken.get(connection, ())) + 1:
            return False
        oldest = next((place for place in most if not place.lost and not place.timeout.expired()), None)
        if oldest is not None:
            oldest.lost = True
            oldest.timeout.reschedule(asyncio.get_running_loop().time())
        return oldest is not None
