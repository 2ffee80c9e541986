"""Admission in front of an engine: capacity, fairness and what becomes of those who go, without a door."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from spanserve.contract import ErrorCode, Refusal
from spanserve.engine import admission as admission_module
from spanserve.engine import line
from spanserve.engine.admission import Account, Admission, Caller
from tests.kit.processes import PATIENCE_S
from tests.kit.sum_engine import MAX_BATCH, Rig, rig, task
from tests.kit.sums import STRETCH, Sums, SumTask

ANY = Admission[SumTask, Sums]
#: Of the windows, what a neighbour with one in each task has at least next to tasks of thousands. Its part is half, but
#: the device costs nothing here, and how much of it a neighbour takes depends on this loop: 0.13 to 0.3 were seen.
LOOP_BOUND = 0.1


@asynccontextmanager
async def admitting() -> AsyncIterator[tuple[Rig, ANY]]:
    async with rig() as made:
        yield made, Admission(made.engine, made.engine._clock)


class Client:
    """Sends as much as it is granted, and settles every result at once, until told to stop."""

    def __init__(self, admission: ANY, caller: Caller, numbers: int = 2) -> None:
        self.admission = admission
        self.answered = 0
        self.stop = False
        self._numbers = tuple(range(numbers))
        self._credit = 0
        self.account = admission.open(caller, self.send)

    def send(self) -> None:
        self._credit += self.admission.grant(self.account)
        while self._credit > 0 and not self.stop:
            self._credit -= 1
            box: list[object] = []

            def ended(result: Sums, box: list[object] = box) -> None:
                asyncio.get_running_loop().call_soon(self._settle, box[0])

            try:
                box.append(self.admission.submit(self.account, task("t", self._numbers), ended))
            except Refusal:  # no room for so much; again when something has ended
                self._credit += 1
                return

    def _settle(self, request: object) -> None:
        self.answered += 1
        self.admission.settle(self.account, request)  # type: ignore[arg-type]
        self.send()


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until(answered: int, *clients: Client) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while sum(client.answered for client in clients) < answered:  # noqa: ASYNC110 - turns of the loop
            await asyncio.sleep(0)


async def test_everything_is_given_back() -> None:
    """When every result is on the wire the books are empty, whatever the estimates were."""
    async with admitting() as (made, admission):
        client = Client(admission, Caller())
        client.send()
        await until(1000, client)
        client.stop = True
        await made.engine.idle.wait()
        await turns(3)
        admission.close(client.account)
        capacity = admission.capacity
        assert (0, 0, {}) == (capacity.used, admission._of_calls, admission._running)


async def test_connections_share_whatever_their_streams() -> None:
    """One stream on a connection of its own has as much as eight on another, and more than 40 % of all."""
    async with admitting() as (_, admission):
        attackers = [Client(admission, Caller(connection="many", stream=f"{n}")) for n in range(8)]
        for one in attackers:
            one.send()
        await until(200, *attackers)
        neighbour = Client(admission, Caller(connection="one"))
        neighbour.send()
        before = sum(one.answered for one in attackers)
        await until(2000, neighbour)
        others = sum(one.answered for one in attackers) - before
        print(f"neighbour {neighbour.answered}, eight streams together {others}")
        assert neighbour.answered >= 0.4 * (neighbour.answered + others)


async def test_windows_are_paid_for() -> None:
    """A caller whose questions have eight windows each has the same share of windows, not of questions."""
    async with admitting() as (_, admission):
        dear = Client(admission, Caller(connection="dear"), numbers=8 * STRETCH)
        plain = Client(admission, Caller(connection="plain"))
        dear.send()
        await until(50, dear)
        plain.send()
        before = dear.answered
        await until(2000, plain)
        windows = 8 * (dear.answered - before)
        print(f"windows: plain {plain.answered}, dear {windows}")
        assert plain.answered >= 0.35 * (plain.answered + windows)


@pytest.mark.parametrize("other", ["same", "other"])
async def test_large_tasks_leave_room(other: str) -> None:
    """Beside one that always has a task of four times the capacity waiting, a neighbour has much of the worker."""
    async with admitting() as (made, admission):
        size = 4 * made.engine.capacity_windows
        large = Client(admission, Caller("same", connection="large"), numbers=size * STRETCH)
        neighbour = Client(admission, Caller(other, connection="small"))
        large.send()
        await until(1, large)
        neighbour.send()
        before = large.answered
        await until(4000, neighbour)
        windows = size * (large.answered - before)
        print(f"windows: neighbour {neighbour.answered}, large {windows}")
        assert neighbour.answered >= LOOP_BOUND * (neighbour.answered + windows)


@pytest.mark.parametrize("other", ["same", "other"])
async def test_suspects_do_not_keep_the_room(other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that want the device alone and were there first: after a moment a neighbour has the room that is its part,
    and what had to make place is refused for the moment.
    """
    monkeypatch.setattr(admission_module, "PROMISE_S", 0.01)
    async with admitting() as (made, admission):
        unblock = made.block()
        first = admission.open(Caller("same", connection="suspects"))
        ended: list[Sums] = []
        for _ in range(made.engine.capacity_windows):
            admission.submit(first, task("suspect", attempt=5), ended.append, late=True)
        neighbour = admission.open(Caller(other, connection="neighbour"))
        assert 0 == admission.grant(neighbour)
        async with asyncio.timeout(PATIENCE_S):
            while not ended:  # noqa: ASYNC110 - turns of the loop
                await asyncio.sleep(0)
        await turns(3)
        assert {ErrorCode.RESOURCE_EXHAUSTED} == {code for result in ended for code in result.codes}
        assert made.engine.capacity_windows // 2 == len(ended)
        assert len(made.engine._requests) == made.engine.held_windows == made.engine.capacity_windows // 2
        unblock()
        admission.close(first)
        await made.run(task("next"))


async def test_large_calls_leave_room() -> None:
    """Large single calls come one after the other; streams and small calls have their parts beside them."""
    async with admitting() as (made, admission):
        large = task("large", tuple(range(4 * made.engine.capacity_windows * STRETCH)))
        flood, one, ended = Caller("a", connection="flood"), admission.open(Caller("b")), [0, 0]

        async def call(account: Account, place: int, work: SumTask) -> None:
            while True:
                try:
                    await enter(admission, account, work)
                    ended[place] += 1
                except Refusal:
                    continue

        calls = [asyncio.create_task(call(admission.open(flood), 0, large)) for _ in range(8)]
        await turns(10)
        calls.append(asyncio.create_task(call(one, 1, task("small"))))
        neighbour = Client(admission, Caller("c"))
        neighbour.send()
        await until(4000, neighbour)
        windows = 4 * made.engine.capacity_windows * ended[0]
        print(f"windows: neighbour {neighbour.answered}, large calls {windows}, small calls {ended[1]}")
        assert neighbour.answered >= LOOP_BOUND * (neighbour.answered + windows)
        assert ended[1] > 10
        for running in calls:
            running.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_the_worker_holds_what_it_wants() -> None:
    """However many streams use all their credit at once, the engine holds its capacity and little more."""
    async with admitting() as (made, admission):
        unblock = made.block()
        clients = [Client(admission, Caller(connection=f"{n % 5}", stream=f"{n}")) for n in range(50)]
        for one in clients:
            one.send()
            one.send()
        await turns(20)
        assert len(made.engine._requests) <= made.engine.capacity_windows + MAX_BATCH
        unblock()
        await made.run(task("next"))
        await until(100, *clients)
        assert len(made.engine._requests) <= made.engine.capacity_windows + MAX_BATCH + 1
        for one in clients:
            one.stop = True
            admission.close(one.account)
        await made.engine.idle.wait()
        assert 0 == admission.capacity.used


async def test_who_goes_is_not_encoded() -> None:
    """Tasks of a caller that goes before its turn to be encoded are dropped unread; others are not delayed by them."""
    encoded: Counter[str] = Counter()
    async with admitting() as (made, admission):
        real = made.engine._feeder._thread._encode

        def encode(work: SumTask) -> object:
            encoded[work.name] += 1
            return real(work)

        made.engine._feeder._thread._encode = encode  # type: ignore[assignment]
        gone = admission.open(Caller(connection="gone"))
        ended: list[Sums] = []
        for _ in range(100):
            admission.submit(gone, task("gone"), ended.append, late=True)
        stays = admission.open(Caller(connection="stays"))
        admission.submit(stays, task("stays"), ended.append, late=True)
        admission.close(gone)
        await made.engine.idle.wait()
        assert Counter({"stays": 1}) == encoded
        assert [ErrorCode.CANCELLED] * 100 == [result.codes[0] for result in ended if result.name == "gone"]
        assert 1 == admission.capacity.used  # what `stays` has not been told


async def enter(admission: ANY, account: Account, work: SumTask | None = None) -> Sums:
    (result,) = await admission.call(account, [work or task("call")])
    return result


async def test_single_calls_take_turns() -> None:
    """A flood of calls of one connection does not keep another's call out: it is among the next to be let in."""
    async with admitting() as (made, admission):
        unblock = made.block()
        flood, neighbour = (
            admission.open(Caller(connection="flood")),
            admission.open(Caller(connection="one")),
        )
        full = admission.open(Caller("queue"))
        for _ in range(made.engine.capacity_windows):
            admission.submit(full, task("full"), lambda result: None, late=True)
        order: list[str] = []

        async def call(name: str, account: Account) -> None:
            await enter(admission, account)
            order.append(name)

        calls = [asyncio.create_task(call("flood", flood)) for _ in range(60)]
        await turns(3)
        calls.append(asyncio.create_task(call("neighbour", neighbour)))
        await turns(3)
        unblock()
        await made.run(task("next"))
        await asyncio.gather(*calls)
        assert order.index("neighbour") < 2 * MAX_BATCH
        assert 0 == admission._of_calls


async def test_too_many_calls_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection may have so many calls waiting; the next is refused, and so are those that wait in vain."""
    monkeypatch.setattr(line, "CALLS_OF_ONE", 3)
    monkeypatch.setattr(admission_module, "CALL_WAIT_S", 0.05)
    async with admitting() as (made, admission):
        made.block()
        account = admission.open()
        calls = [asyncio.create_task(enter(admission, account)) for _ in range(MAX_BATCH)]
        await turns(3)
        room = int(admission.capacity.room)
        calls += [asyncio.create_task(enter(admission, account)) for _ in range(room + MAX_BATCH // 2)]
        await turns(3)
        waiting = [asyncio.create_task(enter(admission, account)) for _ in range(3)]
        await turns(3)
        with pytest.raises(Refusal, match="full"):
            admission.check(account)
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [ErrorCode.RESOURCE_EXHAUSTED] * 3 == [
            one.code for one in outcomes if isinstance(one, Refusal)
        ]
        admission.check(account)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        admission.close(account)
        await made.engine.idle.wait()
        assert (0, 0) == (admission.capacity.used, admission._of_calls)


async def test_calls_that_have_gone_are_passed_over() -> None:
    """Room for one that has just gone, and does not know it yet, goes to the next; the books stay right."""
    async with admitting() as (made, admission):
        full, callers = admission.open(), admission.open(Caller("callers"))
        ended: list[Sums] = []
        requests = [
            admission.submit(full, task("full"), ended.append, late=True)
            for _ in range(made.engine.capacity_windows + MAX_BATCH)
        ]
        await made.engine.idle.wait()
        # Their results are not on the wire yet: there is no room but for one call beside them.
        unblock = made.block()
        calls = [asyncio.create_task(enter(admission, callers)) for _ in range(MAX_BATCH + 2)]
        await turns(3)
        calls[-2].cancel()
        admission.settle(full, *requests)
        unblock()
        await made.run(task("next"))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [-2 + len(calls)] == [n for n, one in enumerate(outcomes) if not isinstance(one, Sums)]
        admission.close(full)
        admission.close(callers)
        assert (0, 0, 0) == (admission.capacity.used, admission._of_calls, len(admission._line))


async def test_a_call_waits_for_nobody_who_has_gone() -> None:
    """A call that comes to an idle worker in the moment when others give up is let in at once."""
    async with admitting() as (made, admission):
        unblock = made.block()
        account = admission.open()
        calls = [
            asyncio.create_task(enter(admission, account)) for _ in range(8 * MAX_BATCH + MAX_BATCH // 2 + 2)
        ]
        await turns(3)
        assert 2 == len(admission._line)
        for call in calls:
            call.cancel()
        unblock()
        assert (6.0,) == (await enter(admission, account)).sums
        await asyncio.gather(*calls, return_exceptions=True)
        admission.close(account)
        assert (0, 0) == (admission.capacity.used, admission._of_calls)
