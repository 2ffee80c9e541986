"""Admission: the one way to the backlog, for every door.

A door opens an account for each caller, and asks through it before it does anything for a task that costs more than a
look at its size. The engine holds what is admitted until its result is on the wire; then the door settles it.

    open ──▶ (grant ──▶ submit ──▶ settle)* ──▶ close        streams and queues: by credit
    open ──▶ (check ──▶ call)* ──▶ close                     single calls: wait in the same order
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Generic

from spanserve.contract import ErrorCode, Refusal
from spanserve.engine.account import Account, nobody
from spanserve.engine.caller import ANYONE, Caller
from spanserve.engine.capacity import BUSY_RETRY_MS, PROMISE_S, Capacity
from spanserve.engine.engine import Engine
from spanserve.engine.line import Line, WaitingCall
from spanserve.engine.origin import UNKNOWN, Origin
from spanserve.engine.pipeline import ResultT, TaskT
from spanserve.engine.request import Request
from spanserve.engine.witness import Witness

__all__ = ["Account", "Admission", "Caller"]

#: Seconds a single call waits for room.
CALL_WAIT_S = 1.0


class Admission(Generic[TaskT, ResultT]):
    """Lets tasks in: as many as the engine wants to hold, shared fairly.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, engine: Engine[TaskT, ResultT], clock: Callable[[], float]) -> None:
        self.capacity = Capacity(engine.capacity_windows, engine.batcher.max_batch, clock)
        self._engine = engine
        self._running: dict[Account, dict[Request[TaskT], bool]] = {}  # whether it is settled when it ends
        self._line = Line(_full)
        #: Windows of single calls that got in in addition to streams and queue: a batch of them may.
        self._of_calls = 0
        self._timer: asyncio.TimerHandle | None = None
        self._entering = 0
        self._entered = asyncio.Event()  # no single call is on its way in
        self._entered.set()

    async def until_idle(self) -> None:
        """Wait until nothing is held, and no single call waits for room."""
        while self._entering or not self._engine.idle.is_set():
            await self._entered.wait()
            await self._engine.idle.wait()

    def open(self, caller: Caller = ANYONE, wake: Callable[[], None] = nobody) -> Account:
        """An account for a caller; `wake` is called when it waited for credit and has some."""
        account = self.capacity.open(caller, wake)
        self._running[account] = {}
        return account

    def close(self, account: Account) -> None:
        """The caller has gone: what it has not been told is dropped, and what has not been computed need not be."""
        running = self._running.pop(account, {})
        self.capacity.close(account, sum(request.charge for request in running))
        for request in running:
            self._engine.cancel(request)
        self._serve()

    def grant(self, account: Account) -> int:
        """Questions this caller may send in addition; 0 if not worth a frame."""
        more = self.capacity.grant(account)
        self._watch_line()
        return more

    def forgo(self, account: Account) -> None:
        """Do without the credit for now: for a door that takes work when it wants, and has none to take."""
        self.capacity.forgo(account)

    def estimate(self, task: TaskT) -> int:
        """Windows that a task will be cut into, as far as its sizes show."""
        return self._engine.estimate(task)

    def submit(
        self,
        account: Account,
        task: TaskT,
        finished: Callable[[ResultT], None],
        *,
        late: bool = False,
        witness: Witness | None = None,
        origin: Origin = UNKNOWN,
    ) -> Request[TaskT]:
        """Let a task in against credit.

        Args:
            finished: called once, on this loop, when the task has ended. Then `settle`.
            late: it is here already, whatever it holds: a lease.
            witness: who is to know outside this process when it runs alone.
            origin: where it was before.

        Raises:
            Refusal: RESOURCE_EXHAUSTED: there was no credit, or no room for late use of it.
        """
        windows = self._engine.estimate(task)
        if late:
            self.capacity.charge(account, len(task.questions), windows)
        else:
            try:
                self.capacity.take(account, len(task.questions), windows)
            except Refusal:
                self._watch_line()
                raise
        return self._start(account, task, finished, windows, origin, witness)

    def check(self, account: Account) -> None:
        """Whether a single call may come in, before anything is done for it.

        Raises:
            Refusal: RESOURCE_EXHAUSTED: too many wait already.
        """
        self._line.check(account)

    async def call(self, account: Account, tasks: Sequence[TaskT], origin: Origin = UNKNOWN) -> list[ResultT]:
        """Have the tasks of a single call answered; a caller that is cancelled meanwhile has gone, and needs no result.

        Raises:
            Refusal: RESOURCE_EXHAUSTED: there was no room in time, or too many wait already.
        """
        done = asyncio.get_running_loop().create_future()
        results: dict[int, ResultT] = {}

        def finished(place: int, result: ResultT) -> None:
            results[place] = result
            if len(results) == len(tasks) and not done.done():
                done.set_result(None)

        requests = await self.enter(account, tasks, finished, origin)
        try:
            await done
        finally:
            for request in requests:
                self._engine.cancel(request)  # if the caller has gone; does nothing to one that has ended
            self.settle(account, *requests)
        return [results[place] for place in range(len(tasks))]

    async def enter(
        self,
        account: Account,
        tasks: Sequence[TaskT],
        finished: Callable[[int, ResultT], None],
        origin: Origin = UNKNOWN,
    ) -> list[Request[TaskT]]:
        """Let the tasks of a single call in, all or none, as soon as there is room; who has least is first.

        Args:
            finished: called once for each, with its place among them. Then `settle`.
            origin: where they were before.

        Raises:
            Refusal: RESOURCE_EXHAUSTED: there was no room in time, or too many wait already.
        """
        windows = [self._engine.estimate(task) for task in tasks]
        call = WaitingCall(account, sum(windows))
        running = len(tasks)

        def ended(place: int, result: ResultT) -> None:
            nonlocal running
            running -= 1
            if not running:
                self._of_calls -= call.beside
            finished(place, result)
            self._serve()

        with self.entering():
            await self._wait(call)
            return [
                self._start(account, task, partial(ended, place), windows[place], origin)
                for place, task in enumerate(tasks)
            ]

    @contextlib.contextmanager
    def entering(self) -> Iterator[None]:
        """For a single call on its way in, or out: `until_idle` waits for it."""
        self._entering += 1
        self._entered.clear()
        try:
            yield
        finally:
            self._entering -= 1
            if not self._entering:
                self._entered.set()

    def settle(self, account: Account, *requests: Request[TaskT]) -> None:
        """Their results are on the wire. One that has not ended is not waited for: it is settled when it does."""
        running = self._running.get(account, {})
        windows = 0
        for request in requests:
            if request in running:
                running[request] = True
            else:
                windows += request.charge
        if account.open:
            self._free(account, windows)

    def _start(
        self,
        account: Account,
        task: TaskT,
        finished: Callable[[ResultT], None],
        windows: int,
        origin: Origin,
        witness: Witness | None = None,
    ) -> Request[TaskT]:
        request: Request[TaskT]

        def encoded(windows: int) -> None:
            self.capacity.correct(account, windows - request.charge)
            request.charge = windows

        def ended(result: ResultT) -> None:
            if self._running.get(account, {}).pop(request, True):
                self._free(account, request.charge)
            finished(result)

        request = self._engine.submit(
            task,
            ended,
            caller=account.caller,
            windows=windows,
            encoded=encoded,
            witness=witness,
            origin=origin,
        )
        self._running[account][request] = False
        return request

    def _free(self, account: Account, windows: int) -> None:
        self.capacity.settle(account, windows)
        self._serve()

    # --- single calls ------------------------------------------------------------------------------------

    async def _wait(self, call: WaitingCall) -> None:
        self._line.join(call)
        _, of_connection, _ = self.capacity.has(call.account)
        if not of_connection and call.windows <= self.capacity.slack:
            self._try(call, self.capacity.slack)  # it may have the last of what calls get in addition
        self._serve()
        self._watch_line()
        try:
            async with asyncio.timeout(CALL_WAIT_S):
                await call.admitted
        except BaseException as error:
            self._line.leave(call)
            if call.let_in:  # at the moment when it gave up
                self._of_calls -= call.beside
                self._free(call.account, call.windows)
            else:
                self._serve()  # others may fit where it did not
            if isinstance(error, TimeoutError):
                raise _full() from None
            raise

    def _may_go(self, call: WaitingCall) -> bool:
        """Whether a call's size lets it in now or soon: a large one waits for its turn, and holds up no other."""
        usual = max(self.capacity.room_of(call.account), self.capacity.slack)
        return call.windows <= usual or self.capacity.turn.is_open_to(call.account)

    def _try(self, call: WaitingCall, beside: int) -> bool:
        """Let a call in, if there is room, in addition to all else, or as the one that is too large.

        Args:
            beside: windows that calls may have in addition.
        """
        if call.windows > self.capacity.room_of(call.account):
            if self._of_calls + call.windows <= beside:
                call.beside = call.windows
            elif call.windows <= self.capacity.slack or not self.capacity.turn.take(call.account):
                return False
        self._of_calls += call.beside
        self.capacity.charge(call.account, 0, call.windows)
        self._line.leave(call)
        call.admitted.set_result(None)
        return True

    @property
    def _beside(self) -> int:
        """Windows that calls which wait may have in addition: half a batch is kept for those who have nothing here."""
        return self.capacity.slack // 2 if self._of_calls else self.capacity.slack

    def _hopeless(self) -> bool:
        """Whether none of the single calls can be let in, without a look at each: it is asked often."""
        smallest, largest = self._line.sizes
        fits = smallest <= self.capacity.room or self._of_calls + smallest <= self._beside
        return not fits and (largest <= self.capacity.slack or self.capacity.turn.holder is not None)

    def _serve(self) -> None:
        """Let in who waits."""
        self.capacity.serve()
        if not len(self._line) or (not self.capacity.has_room() and self._hopeless()):
            return
        while call := self._line.first(self.capacity.has, self._may_go):
            if not self.capacity.serve_before(call.account) and not self._try(call, self._beside):
                return

    # --- promises that lapse -----------------------------------------------------------------------------

    def _watch_line(self) -> None:
        """Look again when promises have lapsed, as long as a caller waits."""
        if self._timer is None and (self.capacity.waiting or len(self._line)):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(PROMISE_S, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._give_back_suspects()
        self._serve()
        self._watch_line()

    def _give_back_suspects(self) -> None:
        """While others wait and get nothing, refuse tasks with an `attempt` that their callers have beyond their part.

        While others have work they get a tenth of the device, so their room would not be free for long. Each keeps one.
        """
        if not self.capacity.waiting or self.capacity.room > 0:
            return
        given_back: Counter[tuple[str, ...]] = Counter()
        for account, running in self._running.items():
            connection = account.caller.path[:2]
            for request in list(running)[:0:-1]:
                if self.capacity.excess(account) <= given_back[connection]:
                    break
                if request.task.attempt > 1 and request.witness is None and not request.started:
                    given_back[connection] += request.charge
                    self._engine.cancel(request, _full())


def _full() -> Refusal:
    return Refusal(ErrorCode.RESOURCE_EXHAUSTED, "the worker is full", retry_after_ms=BUSY_RETRY_MS)
