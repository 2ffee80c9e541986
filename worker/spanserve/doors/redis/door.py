"""The life of the Redis door: make the queue, claim while there is room, keep the leases, give back at the end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from spanserve.contract.backoff import Backoff
from spanserve.contract.errors import SpanserveError
from spanserve.contract.trace import logged
from spanserve.doors.door import Inside
from spanserve.doors.redis.breaker import Breaker
from spanserve.doors.redis.fence import Fence
from spanserve.doors.redis.finisher import Finisher
from spanserve.doors.redis.heartbeat import Heartbeat
from spanserve.doors.redis.intake import Intake
from spanserve.doors.redis.leased import LeasedTask, LeasedTasks
from spanserve.doors.redis.leases import LeaseKeeper
from spanserve.doors.redis.observer import QueueObserver
from spanserve.doors.redis.queue_clock import QueueClock
from spanserve.doors.redis.settings import QueueSettings
from spanserve.doors.redis.share import Share
from spanserve.engine.observer import Observer
from spanserve.engine.state import State
from spanserve.queue import (
    LONGEST_PAUSE_S,
    Claimed,
    Consumer,
    End,
    Ended,
    JobState,
    Keys,
    QueueBroken,
    QueueError,
    QueueUnavailable,
    provision,
)

#: Ends that say something about the worker.
ENDED = (JobState.DONE, JobState.FAILED, JobState.DEAD)
#: Milliseconds a read waits for something new.
BLOCK_MS = 500
#: Seconds between two looks for leases that have run out, give or take a fifth.
RECLAIM_S = 0.5
#: Seconds between two looks at whether the leases are fresh.
WATCH_S = 0.1
#: Seconds between two signs of life.
BEAT_S = 1.0
#: Characters of a problem that are reported.
TROUBLE = 200
#: Seconds that ends on their way to Redis get when the worker goes; those that are late are computed again elsewhere.
CLOSE_GRACE_S = 5.0
#: Seconds of rest for each entry that was not a task: a queue full of them is slow, and only that queue.
GARBAGE_PAUSE_S = 0.02

log = structlog.get_logger(__name__)


class RedisDoor(Observer):
    """Tasks from one queue for one engine.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        inside: Inside,
        settings: QueueSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keys = Keys(settings.queue)
        #: New for every start: the fencing token.
        self.consumer = f"{inside.status().worker}:{secrets.token_hex(8)}"
        self.held = LeasedTasks()
        self.breaker = Breaker(clock)
        self._inside = inside
        self._engine = inside.engine
        self._settings = settings.redis
        self._config = config = settings.config
        self._clock = clock
        self._redis = settings.redis.connect(timeout_s=BLOCK_MS / 1000 + 5.0, keys=self.keys)
        self._control = settings.redis.connect(keys=self.keys)
        self._reader = Consumer(self._redis, self.keys, self.consumer)
        self._writer = Consumer(self._control, self.keys, self.consumer)
        self._finisher = Finisher(self._writer, ended=self._ended, released=self._released)
        self._wake = asyncio.Event()
        self._queue_clock = QueueClock(clock)
        self._intake = Intake(
            inside,
            settings.queue,
            settings.weight,
            self.held,
            self._finisher,
            wake=self._wake.set,
            age_s=self._queue_clock.age_s,
        )
        self._share = Share()
        self._keeper: LeaseKeeper | None = None
        self._reading = False
        self._provisioned = False
        self._doubtful = False
        self._fence = Fence(self.held, self._engine, clock)
        self._trusted = True
        #: Why the queue cannot be used now; empty while it can.
        self._trouble = ""
        self._next_reclaim = 0.0
        self._next_reconcile = clock() + config.lease_s
        self._lease_s = config.lease_s
        self._tasks: list[asyncio.Task[None]] = []
        self._reader_task: asyncio.Task[None] | None = None
        self._engine.observers.add(self)
        self._tell(QueueObserver.queue_opened)

    async def check(self) -> None:
        """Check whether the queue can be used, before anything is loaded.

        Raises:
            SpanserveError: it cannot, and waiting will not help. A Redis that cannot be reached is waited for.
        """
        try:
            await self._provision()
        except QueueUnavailable as error:
            log.warning("redis is away", redis=self._settings.safe_url, error=str(error))
        except QueueBroken as error:  # by hand: no reason to serve no one
            self._note(str(error))

    def start(self) -> None:
        """Begin to claim. The engine must be ready."""
        self._reading = True
        for work in (self._read, self._finisher.run, self._watch, self._beat):
            self._tasks.append(asyncio.create_task(self._guard(work)))
        self._reader_task = self._tasks[0]

    def give_back(self) -> None:
        """Release all that has not been on the device: it is gone for a while, and others can have it now."""
        self._intake.give_back_unstarted()

    async def drain(self) -> None:
        """Stop claiming, and release all that has not been on the device; the rest is finished."""
        self._stop_claiming()

    async def close(self, reason: str) -> None:
        """Bring what has ended to Redis, and leave. Others compute again what cannot be brought in time."""
        self._reading = False
        self._wake.set()
        with contextlib.suppress(TimeoutError, QueueError):
            async with asyncio.timeout(CLOSE_GRACE_S):
                if self._reader_task is not None:
                    await asyncio.wait((self._reader_task,))  # a claim may be on its way
                self._stop_claiming()
                await self._finisher.idle.wait()
                await self._writer.leave()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if left := await self._finisher.abandon():
            log.error("ends not brought", tasks=left)
            self._tell(QueueObserver.ends_not_brought, left)
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.stop)
        self._intake.close()
        await self._redis.aclose()
        await self._control.aclose()

    def _stop_claiming(self) -> None:
        self._reading = False
        self._wake.set()
        self._intake.rest()
        self._intake.give_back_unstarted()
        self._engine.resume(self.held.requests())  # nothing waits for leases any more

    async def _guard(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A fault in one of our loops stops this queue for a while, and nothing else: the loop starts again."""
        backoff = Backoff(LONGEST_PAUSE_S)
        while True:
            try:
                return await work()
            except Exception as error:
                log.error("redis door failed", queue=self.keys.name, exc_info=error)
                self._note(f"a fault of the worker: {type(error).__name__}")
                self._doubtful = True
                await asyncio.sleep(backoff.next_s())

    def _tell(self, event: Callable[..., None], *arguments: Any, **named: Any) -> None:
        self._engine.observers.tell(event, self.keys.name, *arguments, **named)

    def _note(self, trouble: str) -> None:
        """The queue cannot be used, for this reason; or it can."""
        if bool(trouble) is not bool(self._trouble):
            self._tell(QueueObserver.trouble_changed, well=not trouble)
            (log.error if trouble else log.info)("queue broken", queue=self.keys.name, error=trouble)
        self._trouble = trouble

    async def _provision(self) -> None:
        config = await provision(self._control, self.keys, self._config)
        if config != self._config:
            log.info("the queue has its own settings", asked=repr(self._config), found=repr(config))
        self._config = config
        self._use_lease(config.lease_ms)
        await self._queue_clock.look(self._writer)
        if self._keeper is None:
            self._keeper = LeaseKeeper(
                self._settings,
                self.keys,
                self.consumer,
                self.held,
                lease_s=self._lease_s,
                loop=asyncio.get_running_loop(),
                renewed=self._renewed,
                failed=self._engine.give_up,
            )
            self._keeper.start()
        self._provisioned = True
        log.info("queue", queue=self.keys.name, redis=self._settings.safe_url, consumer=self.consumer)

    def _use_lease(self, lease_ms: int) -> None:
        """Keep to the lease in force."""
        self._lease_s = lease_ms / 1000
        if self._keeper is not None:
            self._keeper.lease_s = self._lease_s

    async def _read(self) -> None:
        """Claim until told to stop."""
        backoff = Backoff(LONGEST_PAUSE_S)
        while self._reading:
            try:
                if not self._provisioned:
                    await self._provision()
                await self._round()
                self._note("")
                backoff.reset()
            except SpanserveError as error:
                # The reply to a claim may have been lost, and the group with the data.
                log.warning("cannot read the queue", queue=self.keys.name, error=str(error))
                if isinstance(error, QueueBroken):
                    self._note(str(error))
                self._doubtful = True
                self._provisioned = self._provisioned and "NOGROUP" not in str(error)
                await self._sleep(backoff.next_s())

    async def _round(self) -> None:
        """Claim what there is room for; wait for a change if nothing was there."""
        room = self._room()
        if not self._serving or self._fence.up or not room:
            await self._sleep(BLOCK_MS / 1000)
            return
        if self._doubtful or self._clock() >= self._next_reconcile:
            await self._reconcile()
        if not self.held:
            self._fence.verified(self._clock())
        garbage = self._intake.garbage
        claimed = await self._reader.claim(room, self._share.of(room), self._intake.suspects())
        self._take(claimed, "new")
        garbage = self._intake.garbage - garbage + claimed.orphans
        room = self._room()
        if room and self._clock() >= self._next_reclaim:
            self._next_reclaim = self._clock() + RECLAIM_S * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
            self._take(await self._reader.reclaim(room, self._intake.suspects()), "reclaimed")
        if garbage:  # others are not to wait for what costs only its queue, nor is room to be kept for it
            self._intake.rest()
            await asyncio.sleep(garbage * GARBAGE_PAUSE_S)
        if claimed.last and self._reading:
            self._intake.rest()
            await self._reader.wait(claimed.last, BLOCK_MS)

    def _room(self) -> int:
        """How many tasks may be claimed now."""
        return self.breaker.room(self._intake.room(), len(self.held))

    @property
    def _serving(self) -> bool:
        return self._reading and self._engine.lifecycle.state is State.READY

    def _take(self, claimed: Claimed, how: str) -> None:
        self._tell(QueueObserver.tasks_claimed, claimed, how)
        if claimed.orphans or claimed.trimmed:
            log.warning("entries put aside", orphans=claimed.orphans, trimmed=claimed.trimmed)
        if claimed.entries and how == "reclaimed":
            log.info("reclaimed", tasks=len(claimed.entries))
        if self._serving:
            self._intake.take(claimed.entries)
        else:  # told to stop, or the device has died, while the claim was on its way
            self._intake.give_back(claimed.entries)
        self._tell(QueueObserver.tasks_held, len(self.held))

    async def _reconcile(self) -> None:
        """Give back what is leased to us and we do not have: the reply that brought it was lost."""
        owned = await self._reader.owned()
        known = {held.lease.ref for held in self.held.all()}
        stranded = {ref: count - 1 for ref, count in owned.items() if ref not in known}
        if stranded:
            log.warning("given back what is leased to us and we do not have", tasks=len(stranded))
            for reply in await self._reader.release(stranded):
                if isinstance(reply, QueueError):
                    raise reply
        self._doubtful = False
        self._next_reconcile = self._clock() + self._lease_s

    def _renewed(self, sent: float, lost: list[LeasedTask], cancelled: list[LeasedTask]) -> None:
        """A renewal has succeeded."""
        self._fence.verified(sent)
        for held in lost:
            if held in self.held and held.request is not None and not held.request.ended:
                self._tell(QueueObserver.lease_lost)
                held.lost = True
                self._engine.cancel(held.request)  # of no effect on what is on the device
                log.warning(
                    "lease lost",
                    job=str(held.lease.job),
                    started=held.request.started,
                    **logged(held.request.trace),
                )
        for held in cancelled:
            if held in self.held and held.request is not None:
                self._engine.cancel(held.request)
        self._fence.take_down()

    async def _watch(self) -> None:
        """Show the lease thread that the loop moves, and start nothing on leases that may have run out."""
        while True:
            await asyncio.sleep(WATCH_S)
            if self._keeper is not None:
                self._keeper.touch()
            self._show_breaker()
            self._fence.look(self._lease_s)

    async def _beat(self) -> None:
        """Send heartbeats to the queue, the first at once: until then this worker is in no list."""
        heartbeat = Heartbeat(self._inside.status, self._clock)
        while True:
            fields = {
                **heartbeat.status(held_tasks=len(self.held)).to_fields(),
                "trouble": self._trouble[:TROUBLE],
            }
            if not self.breaker.closed:
                fields["trouble"] = "too many of its tasks end with faults: nothing is claimed"
            with contextlib.suppress(QueueError):  # told elsewhere
                if self._provisioned:
                    self._use_lease(await self._writer.beat(fields))
                    await self._queue_clock.look(self._writer)
                    self._tell(QueueObserver.queue_seen, await self._writer.questions())
                    dead, _, dropped = await self._writer.dead_letters()
                    self._tell(QueueObserver.dead_letters_seen, dead, dropped)
            await asyncio.sleep(BEAT_S)

    def _ended(self, held: LeasedTask, end: End, outcome: Ended | None) -> None:
        """Redis knows the end of a task."""
        self._intake.drop(held)
        self._tell(QueueObserver.task_ended, end, outcome)
        age_s = self._queue_clock.age_s(end.lease.entry)
        if outcome is Ended.OK and age_s is not None:
            self._tell(QueueObserver.task_aged, end, age_s)
        if outcome is Ended.OK and held.questions and end.state in ENDED:
            self.breaker.note(fault=held.faulted)
            self._show_breaker()
        self._wake.set()

    def _show_breaker(self) -> None:
        """Claim nothing of this queue while its breaker is open. Other queues, and callers over gRPC, do not notice."""
        closed = self.breaker.closed
        if closed is not self._trusted:
            self._trusted = closed
            (log.info if closed else log.error)("breaker", queue=self.keys.name, closed=closed)
            self._tell(QueueObserver.breaker_changed, closed=closed)
            if not closed:
                self._intake.give_back_unstarted()  # to workers that may do better

    def _released(self, held: LeasedTask) -> None:
        self._intake.drop(held)
        self._wake.set()

    async def _sleep(self, seconds: float) -> None:
        """Wait, but not longer than until something has ended or we are to stop."""
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
