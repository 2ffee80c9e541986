"""The line of single calls: who has a place in it, and who goes next."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from spanserve.contract import ErrorCode, Refusal
from spanserve.engine import line as line_module
from spanserve.engine.account import Account
from spanserve.engine.line import Line, WaitingCall

from spanserve.engine.caller import Caller  # isort: skip

PLACES = 12
OF_ONE = 6


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(line_module, "CALLS", PLACES)
    monkeypatch.setattr(line_module, "CALLS_OF_ONE", OF_ONE)
    return Line(lambda: Refusal(ErrorCode.RESOURCE_EXHAUSTED, "full"))


def account(identity: str, connection: str = "") -> Account:
    return Account(Caller(identity, connection=connection))


def join(line: Line, who: Account, calls: int = 1) -> list[WaitingCall]:
    made = [WaitingCall(who, 1) for _ in range(calls)]
    for call in made:
        line.join(call)
    return made


def refused(calls: list[WaitingCall]) -> int:
    return sum(isinstance(one.admitted.exception(), Refusal) for one in calls if one.admitted.done())


async def test_one_connection_has_so_many_places(line: Line) -> None:
    """A connection that has its places is refused, with room in the line; another under the same identity is not."""
    join(line, account("a", "1"), OF_ONE)
    with pytest.raises(Refusal, match="full"):
        join(line, account("a", "1"))
    join(line, account("a", "2"))
    assert OF_ONE + 1 == len(line)


@pytest.mark.parametrize("connection", [lambda n: f"{n}", lambda n: f"{n % 3}"], ids=["many", "few"])
async def test_another_identity_finds_a_place(line: Line, connection: Callable[[int], str]) -> None:
    """Whoever fills the line, from however many connections, makes room for other identities until all have even
    parts; the last to come goes first, and nobody's call is refused for one of its own.
    """
    flood = [call for n in range(PLACES) for call in join(line, account("flood", connection(n)))]
    others = [join(line, account(f"other-{n % 2}", f"{n}"))[0] for n in range(6)]
    assert (PLACES, 6, 0) == (len(line), refused(flood), refused(others))
    assert not refused(flood[:3])
    line.check(account("newcomer"))


async def test_another_connection_finds_a_place(line: Line) -> None:
    """Under one identity it is the connection with most calls that makes room."""
    first, second = join(line, account("a", "1"), OF_ONE), join(line, account("a", "2"), OF_ONE)
    third = join(line, account("a", "3"), 3)
    assert (3, 0) == (refused([*first, *second]), refused(third))
    join(line, account("a", "3"))
    with pytest.raises(Refusal, match="full"):
        join(line, account("a", "1"))
    assert 0 == refused(third)


async def test_who_has_least_is_first(line: Line) -> None:
    """The next is the one that has least; of those that have the same, the first to come; not one that has gone."""
    has = Counter({"a": 2, "b": 1, "c": 1})
    (_,), (gone,), (c,) = (join(line, account(name)) for name in "abc")
    gone.admitted.cancel()
    found = line.first(lambda account: has[account.caller.identity])
    assert found is c
    line.leave(c)
    line.leave(c)
    line.leave(gone)
    assert 1 == len(line)
    assert asyncio.isfuture(c.admitted)
    assert not c.let_in
    c.admitted.set_result(None)
    assert c.let_in
