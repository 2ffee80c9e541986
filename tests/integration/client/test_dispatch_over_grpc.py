"""The dispatcher and real workers: joining, sharing, leaving; see tests/unit/client/test_dispatch.py for the rest."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from spanserve.client import Dispatcher, NoWorker, OtherModel
from spanserve.contract import Task, TaskResult
from spanserve.device import Slot
from tests.faults.proxy import proxy_to
from tests.kit.bundles import make_sim_bundle
from tests.kit.outcomes import codes, first_results
from tests.kit.ports import free_port
from tests.kit.serving import Served, serving
from tests.kit.waiting import eventually
from tests.kit.wire import make_task, make_tasks


async def test_nobody_there(tmp_path: Path) -> None:
    """When no worker comes within the time, the error names every address and why it failed."""
    nobody = f"127.0.0.1:{free_port()}"
    reasons = {nobody: "connection refused", f"unix:{tmp_path}/none.sock": "no such socket file"}
    addresses = list(reasons)
    with pytest.raises(NoWorker) as caught:
        await first_results(Dispatcher(addresses, wait_s=0.3), make_tasks(3))
    message = str(caught.value)
    assert "within 0.3 s" in message
    for address, reason in reasons.items():
        assert f"{address}: {reason}" in message


async def test_still_loading(sim_bundle: Bundle) -> None:
    """A worker that is there but not ready is no worker yet; the error says what it is doing."""
    async with serving(sim_bundle, ready=False) as served:
        with pytest.raises(NoWorker, match="starting"):
            await first_results(Dispatcher([served.address], wait_s=0.3), make_tasks(1))


async def test_a_late_worker_joins(sim_bundle: Bundle, tmp_path: Path) -> None:
    """A worker that comes up while the client waits is found, and does all the work."""
    address = f"unix:{tmp_path}/late.sock"
    dispatcher = Dispatcher([address])
    running = asyncio.create_task(first_results(dispatcher, make_tasks(50)))
    await eventually(lambda: "no such socket file" == dispatcher.connections[0].problem)
    async with serving(sim_bundle, listen=address):
        found = await running
    assert 50 == len(found)
    assert 50 == dispatcher.connections[0].answered


async def test_two_workers_share(sim_bundle: Bundle) -> None:
    """Two workers both answer, nobody is sent more than was granted, and each task ends once."""
    device = "sim:fixed?latency_ms=5"
    async with serving(sim_bundle, device) as one, serving(sim_bundle, device) as two:
        dispatcher = Dispatcher([one.address, two.address, one.address])  # an address named twice is one
        found = await first_results(dispatcher, make_tasks(2000))
        assert {f"t{number}" for number in range(2000)} == set(found)
        answered = [connection.answered for connection in dispatcher.connections]
        assert (2, 2000) == (len(answered), sum(answered))
        assert min(answered) > 0
        assert f", {two.address} {answered[1]}" in dispatcher.shares()
        for served in (one, two):
            assert [] == list(served.rig.metrics.refused._metrics)


async def test_a_stuck_worker_does_not_hold_up_the_end(sim_bundle: Bundle) -> None:
    """What a worker holds and does not answer is taken again by one that is idle, once; nobody waits for the first."""
    async with serving(sim_bundle) as stuck, serving(sim_bundle) as other:
        slots = stuck.rig.block()
        dispatcher = Dispatcher([stuck.address, other.address])
        found = await first_results(dispatcher, make_tasks(300))
        assert 300 == len(found)
        held_up, idle = dispatcher.connections
        assert (0, 300) == (held_up.answered, idle.answered)
        copies = dispatcher.copies
        assert 0 < copies <= 300
        assert f", {copies} tasks taken twice" in dispatcher.shares()
        assert 0 == dispatcher.repeated
        for slot in slots:
            slot.release()
        await stuck.rig.run(make_task("next"))  # makes the engine look; it was told to drop the others
        assert 1 == stuck.rig.engine.batches


async def test_every_worker_serves_another_model(sim_bundle: Bundle, tmp_path: Path) -> None:
    """A run whose workers have all gone over to another model ends, and says that and which."""
    addresses = [f"unix:{tmp_path}/{name}.sock" for name in "ab"]
    other = make_sim_bundle(tmp_path / "other", max_seq_length=256)
    runs = Dispatcher(addresses, wait_s=3600).run(make_tasks(5000))
    async with serving(sim_bundle, listen=addresses[0]), serving(sim_bundle, listen=addresses[1]):
        assert await anext(runs)
    async with serving(other, listen=addresses[0]), serving(other, listen=addresses[1]):
        with pytest.raises(OtherModel, match="every worker serves another model now") as caught:
            async for _ in runs:
                pass
    assert 2 == str(caught.value).count(f"serves model {other.manifest.digest}")


@dataclass(slots=True)
class Held:
    """A run whose tasks are all with a worker that cannot compute them until it is let."""

    served: Served
    running: asyncio.Task[dict[str, TaskResult]]
    slots: list[Slot]

    async def finish(self) -> dict[str, TaskResult]:
        """Let the worker compute; the results of the run."""
        for slot in self.slots:
            slot.release()
        await self.served.rig.run(make_task("next"))  # makes the engine look
        return await self.running


async def held(served: Served, dispatcher: Dispatcher, tasks: list[Task]) -> Held:
    slots = served.rig.block()
    running = asyncio.create_task(first_results(dispatcher, tasks))
    await served.rig.entered(len(tasks))
    return Held(served, running, slots)


async def test_a_broken_connection_makes_suspects(sim_bundle: Bundle) -> None:
    """What a worker held when its connection broke is sent again as its second attempt."""
    async with serving(sim_bundle) as served, proxy_to(served.address) as proxy:
        run_ = await held(served, Dispatcher([proxy.address]), make_tasks(5))
        proxy.cut()
        await served.rig.entered(5)
        found = await run_.finish()
        assert [2] * 5 == [result.attempt for result in found.values()]
        assert [[None]] * 5 == [codes(result) for result in found.values()]


async def test_leaving_early_withdraws_the_rest(sim_bundle: Bundle) -> None:
    """Whoever stops listening leaves nothing behind: streams are closed and tasks withdrawn."""
    async with serving(sim_bundle, "sim:fixed?latency_ms=20") as served:
        runs = Dispatcher([served.address]).run(make_tasks(5000))
        first = await anext(runs)
        await runs.aclose()
        assert first
        await eventually(lambda: served.service.open_streams == 0)
        await served.rig.engine.idle.wait()
        assert served.rig.engine.ended_questions < 5000


async def test_a_worker_that_goes_and_comes(sim_bundle: Bundle, tmp_path: Path) -> None:
    """Work goes on with the other worker while one is away, and with both when it is back."""
    address = f"unix:{tmp_path}/w.sock"
    device = "sim:fixed?latency_ms=10"
    counts: Counter[str] = Counter()
    async with serving(sim_bundle, device) as staying:
        dispatcher = Dispatcher([staying.address, address])
        gone = dispatcher.connections[1]

        async def consume() -> None:
            async for results in dispatcher.run(make_tasks(6000)):
                counts.update(result.id for result in results)

        async def works_again() -> None:
            before = gone.answered
            await eventually(lambda: gone.answered > before or running.done())

        running = asyncio.create_task(consume())
        for _ in range(2):
            async with serving(sim_bundle, device, listen=address):
                await works_again()
                assert not running.done()
            await eventually(lambda: not gone.connected)
        await running
    assert 6000 == len(counts)
