"""SIGHUP: a new bundle card by card, under load; a bundle that gives wrong answers never serves."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from spanserve.client import AsyncClient, Dispatcher
from tests.kit.bundles import POISON_ID, make_sim_bundle
from tests.kit.fleets import UpProcess
from tests.kit.wire import make_task, make_tasks

StartUp = Callable[..., UpProcess]

#: Devices that cannot answer the golden of `poisoned`.
PICKY = f"sim:fixed?fail_id={POISON_ID}"
CALLERS = 8


@dataclass
class Bundles:
    """Bundles side by side, and the link that a supervisor is given."""

    folder: Path
    link: Path = field(init=False)

    def __post_init__(self) -> None:
        self.link = self.folder / "current"

    def make(self, name: str, *, max_seq_length: int = 384, golden: str = "Anna said 1871.") -> Bundle:
        return make_sim_bundle(self.folder / name, max_seq_length=max_seq_length, golden=golden)

    def poisoned(self) -> Bundle:
        """One that some devices cannot prove: their golden answers are wrong."""
        return self.make("poisoned", max_seq_length=256, golden="The poison froze in 1871.")

    def switch(self, bundle: Bundle) -> None:
        """Let the link lead to another bundle, as `ln -sfn` does."""
        new = self.folder / "new"
        new.symlink_to(bundle.path.name)
        new.rename(self.link)


@pytest.fixture
def bundles(tmp_path: Path) -> Bundles:
    found = Bundles(tmp_path)
    found.switch(found.make("first"))
    return found


@dataclass
class Load:
    """Questions asked all the time, and what came of them."""

    answered: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    #: Fewest workers that served at a time, as the page told.
    fewest: int = 1000


@asynccontextmanager
async def load(up: UpProcess) -> AsyncIterator[Load]:
    """Ask over all addresses until the block ends."""
    done = asyncio.Event()
    found = Load()

    async def call(client: AsyncClient) -> None:
        while not done.is_set():
            try:
                result = await client.answer(make_task())
            except Exception as error:
                found.failed.append(repr(error))
                continue
            digest = result.model_digest
            found.answered[digest] = found.answered.get(digest, 0) + 1
            found.failed += [str(question.error) for question in result.questions if question.error]

    async def watch() -> None:
        while not done.is_set():
            ready = await asyncio.to_thread(up.ready)
            found.fewest = min(found.fewest, ready["serving"])

    async with AsyncClient(*up.addresses) as client, asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(call(client))
        group.create_task(watch())
        try:
            yield found
        finally:
            done.set()


async def renewed(up: UpProcess, end: str = "rollout finished") -> None:
    """Tell the supervisor to renew its workers, and wait for the end of that."""
    up.signal(signal.SIGHUP)
    await asyncio.to_thread(up.wait_for, end)


def digests(up: UpProcess) -> list[str]:
    return [worker["model_digest"] for worker in up.ready()["workers"]]


async def test_another_model_under_load(start_up: StartUp, bundles: Bundles) -> None:
    """A model is exchanged while questions come: none fails, and all workers but one serve all the time."""
    old = Bundle.open(bundles.link).manifest.digest
    new = bundles.make("second", max_seq_length=256)
    up = start_up("--drain-delay", "0.2", workers=3, bundle=bundles.link)
    await asyncio.to_thread(up.wait_serving, 3)
    async with load(up) as found:
        bundles.switch(new)
        await renewed(up)
    assert [] == found.failed
    assert {old, new.manifest.digest} == set(found.answered)
    assert 2 == found.fewest
    assert [new.manifest.digest] * 3 == digests(up)
    order = [record["device"] for record in up.records("renewing worker")]
    assert ["sim:fixed#0", "sim:fixed#1", "sim:fixed#2"] == order
    assert 1 == up.metrics()['spanserve_fleet_rollouts_total{outcome="finished"}']
    print(f"{sum(found.answered.values())} questions during the rollout, 0 failed")


async def test_the_same_model_under_load(start_up: StartUp, bundles: Bundles) -> None:
    """A run goes on while its workers are renewed with a bundle of the same model: each task ends once."""
    again = bundles.make("again", golden="Holm said so in 1871.")
    up = start_up(workers=2, bundle=bundles.link, device="sim:fixed?latency_ms=50")
    await asyncio.to_thread(up.wait_serving, 2)
    bundles.switch(again)
    tasks = make_tasks(3000)
    found: list[str] = []
    renewing: asyncio.Task[None] | None = None
    async for results in Dispatcher(up.addresses).run(tasks):
        found += [result.id for result in results]
        assert [] == [question.error for result in results for question in result.questions if question.error]
        if renewing is None:
            renewing = asyncio.create_task(renewed(up))
    assert sorted(task.id for task in tasks) == sorted(found)
    assert renewing is not None
    await renewing
    assert [str(again.path)] * 2 == [worker["bundle"] for worker in up.ready()["workers"]]


async def test_wrong_answers_never_serve(start_up: StartUp, bundles: Bundles) -> None:
    """A bundle whose goldens fail on the first card never serves: that card goes back, the others stay."""
    old = Bundle.open(bundles.link).manifest.digest
    up = start_up(workers=2, bundle=bundles.link, device=PICKY)
    await asyncio.to_thread(up.wait_serving, 2)
    async with load(up) as found:
        bundles.switch(bundles.poisoned())
        await renewed(up, "rollout failed")
        await asyncio.to_thread(up.wait_for, "ready", device="sim:fixed#0", count=2)
    assert [] == found.failed
    assert {old} == set(found.answered)
    assert 1 == found.fewest
    assert [old, old] == digests(up)
    rollout = up.ready()["rollout"]
    assert "failed" == rollout["state"]
    assert "sim:fixed#0 on" in rollout["error"]
    assert "poisoned" in rollout["error"]
    assert f"token id {POISON_ID}" in rollout["error"]
    assert 1 == up.worker(1)["starts"]


async def test_a_later_card_goes_back_alone(start_up: StartUp, bundles: Bundles) -> None:
    """A card behind the canary that fails on the new bundle goes back to the old one, and the rollout stops."""
    old = Bundle.open(bundles.link).manifest.digest
    new = bundles.poisoned()
    up = start_up(workers=3, bundle=bundles.link, device=f"sim:fixed,{PICKY},sim:fixed")
    await asyncio.to_thread(up.wait_serving, 3)
    bundles.switch(new)
    await renewed(up, "rollout failed")
    await asyncio.to_thread(up.wait_for, "ready", device="sim:fixed#1", count=2)
    assert [new.manifest.digest, old, old] == digests(up)
    assert 1 == up.worker(2)["starts"]


def remove(bundles: Bundles) -> None:
    bundles.link.unlink()


def damage(bundles: Bundles) -> None:
    (bundles.folder / "first" / "model.xml").write_text("x")


def replace(bundles: Bundles) -> None:
    shutil.rmtree(bundles.folder / "first")
    bundles.make("first", max_seq_length=256)


REFUSED = {
    "gone": (remove, "holds no manifest"),
    "damaged": (damage, "truncated"),
    "in-place": (replace, "overwritten in place"),
}


@pytest.mark.parametrize(("spoil", "why"), REFUSED.values(), ids=REFUSED)
async def test_no_way_back_no_way_forth(
    start_up: StartUp, bundles: Bundles, spoil: Callable[[Bundles], None], why: str
) -> None:
    """A bundle that is missing, damaged or without a way back is refused before any worker is touched."""
    up = start_up(workers=1, bundle=bundles.link)
    await asyncio.to_thread(up.wait_serving, 1)
    spoil(bundles)
    await renewed(up, "rollout failed")
    assert why in up.ready()["rollout"]["error"]
    worker = up.worker(0)
    assert ("ready", 1) == (worker["state"], worker["starts"])


async def test_a_device_that_was_given_up_gets_another_chance(start_up: StartUp, bundles: Bundles) -> None:
    """A rollout of the bundle that is there starts every worker anew, those of given up devices last."""
    up = start_up("--crash-limit", "1", workers=2, bundle=bundles.link)
    await asyncio.to_thread(up.wait_serving, 2)
    up.signal_worker(0, signal.SIGKILL)
    await asyncio.to_thread(up.wait_for, "worker given up")
    await renewed(up)
    assert ["sim:fixed#1", "sim:fixed#0"] == [record["device"] for record in up.records("renewing worker")]
    assert ["ready", "ready"] == [worker["state"] for worker in up.ready()["workers"]]
    up.signal(signal.SIGTERM)
    assert 0 == await asyncio.to_thread(up.wait)
