"""From tasks to encoded tasks: they wait in fair order, and a few at a time are encoded in a thread."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic

from spanserve.contract import Refusal
from spanserve.engine.encoding import EncodingThread
from spanserve.engine.fair import FairQueue
from spanserve.engine.pipeline import TaskT
from spanserve.engine.request import Request
from spanserve.engine.work import Encoded

#: Bites that are out: one in the thread and one before it.
BITES = 2


class Feeder(Generic[TaskT]):
    """Encodes what waits, as long as more is wanted.

    Args:
        encode: one task; called in a thread.
        bite: estimated windows that are encoded at a time.
        wanted: whether more is needed.
        encoded: told what became of the requests of each bite.
        spawn: starts work concurrently.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        encode: Callable[[TaskT], Encoded],
        bite: int,
        wanted: Callable[[], bool],
        encoded: Callable[[list[tuple[Request[TaskT], Encoded | Refusal]]], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        clock: Callable[[], float],
    ) -> None:
        self._thread = EncodingThread(encode)
        self._bite_windows = bite
        self._wanted = wanted
        self._encoded = encoded
        self._spawn = spawn
        self._clock = clock
        self._waiting: FairQueue[Request[TaskT]] = FairQueue()
        self._bites = 0

    def push(self, request: Request[TaskT], rank: float) -> None:
        """Let a request wait; `feed` later. Its caller pays what it was estimated at."""
        self._waiting.push(request.caller, request, request.charge, rank)

    def drop_withdrawn(self) -> None:
        """End what is no longer waited for, unread."""
        now = self._clock()
        for request in self._waiting.remove(lambda request: request.cancelled):
            _live(request, now)

    def feed(self) -> None:
        """Encode a few tasks at a time, in fair order, while they are wanted."""
        while self._bites < BITES and self._waiting and self._wanted():
            bite = self._bite()
            if not bite:
                return
            self._bites += 1
            self._spawn(self._encode(bite))

    def close(self) -> None:
        """Wait for what is being encoded, and end the thread."""
        self._thread.close()

    def _bite(self) -> list[Request[TaskT]]:
        now = self._clock()
        bite: list[Request[TaskT]] = []
        windows = 0
        while self._waiting and windows < self._bite_windows:
            request = self._waiting.pop()
            if _live(request, now):
                bite.append(request)
                windows += request.charge
        return bite

    async def _encode(self, bite: list[Request[TaskT]]) -> None:
        outcomes = await self._thread.encode(bite)
        self._bites -= 1
        self.feed()  # the thread has one bite more: it need not wait for us
        now = self._clock()
        for request in bite:
            request.encode_ended = now
            if request.witness is not None:
                request.witness.ended()
        # Some were withdrawn, or are late, meanwhile.
        self._encoded(
            [
                (request, request.verdict(now) or outcome)
                for request, outcome in zip(bite, outcomes, strict=True)
            ]
        )


def _live(request: Request[Any], now: float) -> bool:
    """Whether a request must be encoded; if not, it ends."""
    request.encode_began = request.encode_ended = now
    verdict = request.verdict(now)
    if verdict is not None and not request.ended:
        request.refuse(verdict)
    if request.ended and request.witness is not None:
        request.witness.ended()
    return not request.ended
