"""The keeper of leases: renews them from a thread of its own, so that nothing the event loop does delays it.

It stops when the loop itself has stood still for longer than any batch may take: then this process is useless,
and another worker should have the tasks.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable

import structlog

from spanserve.contract.backoff import Backoff
from spanserve.doors.redis.leased import LeasedTask, LeasedTasks
from spanserve.queue import Consumer, Keys, RedisSettings

#: Leases are renewed this many times within their length: two renewals may fail.
RENEWALS = 3
#: A loop that has not moved for this many seconds is taken for dead.
STALL_S = 20.0
#: Exit status then: EX_SOFTWARE.
EXIT_STALLED = 70

log = structlog.get_logger(__name__)

#: Seconds between two looks at the clock and at whether to stop.
LOOK_S = 0.25

#: Called in the event loop: when the renewal was sent (monotonic), what is lost, what is to be cancelled.
Renewed = Callable[[float, list[LeasedTask], list[LeasedTask]], None]


class LeaseKeeper:
    """Renews all that is held, three times a lease.

    Args:
        held: what to renew.
        renewed: called in `loop` after every renewal that succeeded.
        failed: called in `loop` if the thread cannot go on.
    """

    def __init__(
        self,
        settings: RedisSettings,
        keys: Keys,
        consumer: str,
        held: LeasedTasks,
        *,
        lease_s: float,
        loop: asyncio.AbstractEventLoop,
        renewed: Renewed,
        failed: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._consumer = consumer
        self._held = held
        self.lease_s = lease_s
        self._loop = loop
        self._renewed = renewed
        self._failed = failed
        self._touches = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def touch(self) -> None:
        """The event loop moves."""
        self._touches += 1

    def stop(self) -> None:
        """End the thread; waits for a renewal that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def _interval_s(self) -> float:
        return self.lease_s / RENEWALS

    def _run(self) -> None:
        try:
            asyncio.run(self._renew_on())
        except BaseException as error:  # without renewals this worker only blocks what it holds
            self._tell(self._failed, f"the lease thread ended: {error!r}")

    async def _renew_on(self) -> None:
        backoff = Backoff(self._interval_s)
        # Two replies that never come must still leave time for a third try.
        redis = self._settings.connect(timeout_s=max(self._interval_s / 2, 0.25), keys=self._keys)
        consumer = Consumer(redis, self._keys, self._consumer)
        renewed, pause = time.monotonic(), self._interval_s
        seen, stalled_s = self._touches, 0.0
        try:
            while not await asyncio.to_thread(self._stopping.wait, LOOK_S):
                # By our own looks, not by the clock: a process that was frozen as a whole has not stalled.
                # While the model loads, nothing is held and the loop does not move, for as long as that takes.
                stalled_s = stalled_s + LOOK_S if len(self._held) and self._touches == seen else 0.0
                seen = self._touches
                if stalled_s > STALL_S:
                    _give_up()
                if time.monotonic() - renewed < min(pause, self._interval_s):
                    continue
                renewed = time.monotonic()
                try:
                    await self._renew(consumer)
                    backoff.reset()
                    pause = self._interval_s
                except Exception as error:  # without renewals the worker starts nothing more: that is enough
                    pause = backoff.next_s()
                    log.warning("leases not renewed", error=str(error) or repr(error))
        finally:
            await redis.aclose()

    async def _renew(self, consumer: Consumer) -> None:
        held = {one.lease: one for one in self._held.all() if not one.lost}
        sent = time.monotonic()
        lost, cancelled = await consumer.renew(list(held))
        self._tell(self._renewed, sent, [held[lease] for lease in lost], [held[lease] for lease in cancelled])

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(call, *arguments)


def _give_up() -> None:
    """End the process at once, with every thread's stack on standard error."""
    try:
        log.error("the event loop stands still", seconds=STALL_S)
        faulthandler.dump_traceback(sys.stderr)
    finally:
        os._exit(EXIT_STALLED)
