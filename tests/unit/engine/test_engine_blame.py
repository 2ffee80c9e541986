"""Who is given up: what this worker has seen die while it was alone; and who is told before it runs alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from spanserve.contract import ErrorCode
from spanserve.contract.limits import MAX_ATTEMPTS, MAX_DEATHS
from spanserve.engine.observer import Observer
from spanserve.engine.state import State
from tests.kit.sum_engine import BAD, Rig, all_added, rig, task, tasks


@dataclass
class Killer(Observer):
    """Somebody outside kills the device whenever a request has it for itself, so many times."""

    made: Rig
    #: How often that is still to come.
    times: int

    def request_alone(self, request: object) -> None:
        self.made.device.fatal = 3 if self.times > 0 else None  # one of its numbers
        self.times -= 1


@pytest.mark.parametrize("deaths", range(MAX_DEATHS + 1))
@pytest.mark.parametrize("attempt", [3, MAX_ATTEMPTS])
async def test_only_deaths_alone_are_held_against_it(attempt: int, deaths: int) -> None:
    """Whatever a client says of earlier runs, a question is given up after three deaths that it was alone with here."""
    async with rig() as made:
        made.engine.observers.add(Killer(made, deaths))
        (result,) = await made.run(task("t", attempt=attempt))
        assert [ErrorCode.POISON if deaths == MAX_DEATHS else None] == result.codes
        assert MAX_ATTEMPTS >= result.attempt
        assert deaths == made.seen.restarts
        assert State.READY is made.engine.lifecycle.state


async def test_deaths_in_company_are_not() -> None:
    """The device may die as often as it likes of neighbours: those who were with them are answered."""
    async with rig(fatal=BAD, max_batch=2) as made:
        # One that kills and one that does not share a batch, three times over.
        pairs = [
            task(f"{kind}{n}", (BAD if kind == "bad" else n,)) for n in range(3) for kind in ("bad", "good")
        ]
        results = await made.run(*pairs)
        assert all_added(results[1::2])
        assert [[ErrorCode.POISON]] * 3 == [result.codes for result in results[::2]]


@dataclass
class HeldWitness:
    """A witness that answers when it is told to."""

    waiting: list[Callable[[bool], None]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def begins(self, known: Callable[[bool], None]) -> None:
        self.told.append("begins")
        self.waiting.append(known)

    def ended(self) -> None:
        self.told.append("ended")

    def answer(self, *, wanted: bool = True) -> None:
        self.waiting.pop(0)(wanted)


async def test_a_witness_knows_before_it_begins() -> None:
    """A suspect runs alone when its witness knows of it, once for every run; others do not wait for that."""
    witness = HeldWitness()
    async with rig() as made:
        results: list[object] = []
        made.engine.submit(task("t", (1,), (2,), attempt=MAX_ATTEMPTS), results.append, witness=witness)
        await made.entered(2)
        assert all_added(await made.run(*tasks(20)))
        assert (["ended", "begins"], [], []) == (witness.told, made.seen.alone, results)
        witness.answer()
        assert all_added(await made.run(*tasks(20)))
        assert ["ended", "begins", "ended", "begins"] == witness.told
        assert 1 == len(made.seen.alone)
        witness.answer()
        await made.engine.idle.wait()
        assert ["ended", *["begins", "ended"] * 2] == witness.told
        assert 1 == len(results)
        assert 0 == made.engine.held_windows


async def test_a_witness_that_knows_better() -> None:
    """What nobody wants any more when its witness is asked never gets to the device."""
    witness = HeldWitness()
    async with rig() as made:
        results: list[object] = []
        made.engine.submit(task("t", attempt=3), results.append, witness=witness)
        await made.entered(1)
        await made.run(*tasks(1))
        witness.answer(wanted=False)
        await made.engine.idle.wait()
        assert [[ErrorCode.CANCELLED]] == [result.codes for result in results]  # type: ignore[attr-defined]  # Sums
        assert [] == made.seen.alone
