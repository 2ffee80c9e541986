"""The cable between workers, client and Redis: slow, lossy, half-open or cut; nothing is lost by it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import psutil
import pytest

from spanserve.client import NoWorker
from spanserve.queue.calls import script
from tests.faults.oracle import Classes
from tests.faults.proxy import Proxy, proxy_to
from tests.faults.queue_fleet import QueueFleet, single_tasks
from tests.kit.netns import Network
from tests.kit.processes import PATIENCE_S, WorkerProcess
from tests.kit.waiting import eventually

MakeFleet = Callable[..., Awaitable[QueueFleet]]

SLOW = "sim:fixed?latency_ms=100"
#: Longer than the patience of any test: who waits for such a lease to run out fails.
ENDLESS_S = 600.0


def url_of(proxy: Proxy) -> str:
    return f"redis://{proxy.address}"


async def lose_replies(fleet: QueueFleet, name: str) -> None:
    """Have a hundred tasks answered while three replies to a script get lost: none is computed twice."""
    fleet.rig.plain.script_load(script(name).body)
    async with proxy_to(fleet.server.address) as proxy:
        worker = fleet.worker(url=url_of(proxy))
        await fleet.ready(worker)
        swallow = proxy.swallow(script(name).sha.encode(), count=3)
        async with fleet.evaluation(single_tasks(100)) as evaluation:
            ledger = await evaluation.ended()
    classes = await fleet.check(ledger)
    assert (3, 0) == (swallow.swallowed, classes.duplicate_executions)


async def test_claims_whose_reply_is_lost(make_fleet: MakeFleet) -> None:
    """What a lost reply has leased to a worker it gives back as soon as it is connected again, uncharged."""
    fleet = await make_fleet(lease_s=ENDLESS_S)
    await lose_replies(fleet, "claim")
    assert {1} == {line["deliveries"] for line in fleet.journal.of("start")}


async def test_replies_that_are_lost(make_fleet: MakeFleet) -> None:
    """Replies to ends that get lost cost neither a second event nor a second execution."""
    fleet = await make_fleet(lease_s=ENDLESS_S)
    await lose_replies(fleet, "finish")
    assert {"ok", "dup"} == {line["outcome"] for line in fleet.journal.of("end")}


async def test_half_open(make_fleet: MakeFleet) -> None:
    """Connections that are open and dead are noticed by worker and client, and made anew; work goes on."""
    fleet = await make_fleet(device=SLOW)
    async with proxy_to(fleet.server.address) as proxy:
        worker = fleet.worker(url=url_of(proxy))
        await fleet.ready(worker)
        async with fleet.evaluation(single_tasks(120), url=url_of(proxy)) as evaluation:
            await evaluation.reached(0.1)
            proxy.half_open()
            ledger = await evaluation.ended()
    await fleet.check(ledger)


async def test_a_bad_line(make_fleet: MakeFleet) -> None:
    """A line with delays, jitter and a reset in every seven packets slows a run down, and does nothing else."""
    fleet = await make_fleet(lease_s=4.0)
    async with proxy_to(fleet.server.address, random.Random(28)) as proxy:
        workers = [fleet.worker(url=url_of(proxy)) for _ in range(2)]
        await fleet.ready(*workers)
        proxy.delay_s, proxy.jitter_s, proxy.reset_rate = 0.05, 0.05, 0.15
        async with fleet.evaluation(single_tasks(300), url=url_of(proxy)) as evaluation:
            ledger = await evaluation.ended()
        proxy.delay_s = proxy.jitter_s = proxy.reset_rate = 0.0
        await fleet.check(ledger)
        assert proxy.resets > 0


async def without_redis(make_fleet: MakeFleet, away_s: float) -> float:
    """A run whose Redis is away at the start and in between; the most of a processor that its worker used meanwhile."""
    fleet = await make_fleet(device=SLOW)
    fleet.server.kill()
    worker = fleet.worker()
    await fleet.ready(worker)
    used = await cpu_share(worker, away_s)
    hasty = fleet.evaluation(single_tasks(1), wait_s=0.5)
    async with hasty as evaluation:
        with pytest.raises(NoWorker, match="Connect"):
            await evaluation.ended()
    async with fleet.evaluation(single_tasks(200), wait_s=PATIENCE_S + away_s) as evaluation:
        fleet.server.start()
        await evaluation.reached(0.3)
        fleet.server.kill()
        used = max(used, await cpu_share(worker, away_s))
        fleet.server.start()
        before, back = len(evaluation.ledger.first), time.monotonic()
        await eventually(lambda: len(evaluation.ledger.first) > before)
        print(f"first result {time.monotonic() - back:.1f} s after Redis was back")
        ledger = await evaluation.ended()
    await fleet.check(ledger)
    print(f"{used:.1%} of a processor while Redis was away")
    return used


async def test_no_redis(make_fleet: MakeFleet) -> None:
    """Without Redis, at the start or in between, workers wait at ease, and whoever does not wait is told at once."""
    assert await without_redis(make_fleet, 1.5) < 0.5, "a busy loop"


@pytest.mark.long
async def test_a_minute_without_redis(make_fleet: MakeFleet) -> None:
    """D29: for a whole minute."""
    assert await without_redis(make_fleet, 60.0) < 0.05


async def cpu_share(worker: WorkerProcess, seconds: float) -> float:
    """Processor time of a worker over wall time, for a while."""
    process = psutil.Process(worker.pid)
    loop = asyncio.get_running_loop()

    def spent() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    before, began = spent(), loop.time()
    await asyncio.sleep(seconds)
    return (spent() - before) / (loop.time() - began)


async def stood_still(make_fleet: MakeFleet, pause_s: float, sleep_s: float, tasks: int) -> Classes:
    """A run while Redis takes no writes for a while, and later answers nothing at all."""
    fleet = await make_fleet(device=SLOW)
    await fleet.ready(*(fleet.worker() for _ in range(2)))
    async with fleet.evaluation(single_tasks(tasks)) as evaluation:
        await evaluation.reached(0.1)
        fleet.rig.plain.execute_command("CLIENT", "PAUSE", round(1000 * pause_s), "WRITE")
        await evaluation.reached(0.4)
        await asyncio.to_thread(fleet.rig.plain.execute_command, "DEBUG", "SLEEP", str(sleep_s))
        ledger = await evaluation.ended()
    return await fleet.check(ledger)


async def test_a_redis_that_stands_still(make_fleet: MakeFleet) -> None:
    """A Redis that takes no writes for a while, and one that answers nothing at all, only delay a run."""
    classes = await stood_still(make_fleet, 1.0, 2.5, 250)
    assert classes.duplicate_executions <= 250


@pytest.mark.long
async def test_a_redis_that_stands_still_for_long(make_fleet: MakeFleet) -> None:
    """D30: nor do five leases of the one, and two and a half of the other."""
    classes = await stood_still(make_fleet, 10.0, 5.0, 1000)
    print(f"{classes.duplicate_executions} computed twice, {classes.stale} ends of a lost lease")
    assert 0 == classes.dead


async def test_hosts_that_are_cut_off(make_fleet: MakeFleet) -> None:
    """Of two other hosts with a worker each one is cut off and comes back: nothing is lost, and both go on."""
    with Network(2) as network:
        fleet = await make_fleet(device=SLOW, host="0.0.0.0")
        workers = [
            fleet.worker(url=f"redis://{host.gateway}:{fleet.server.port}", prefix=host.prefix)
            for host in network.hosts
        ]
        await fleet.ready(*workers)
        one, other = network.hosts
        async with fleet.evaluation(single_tasks(600)) as evaluation:
            await evaluation.reached(0.05)
            one.cut()
            await eventually(lambda: bool(workers[1].records("reclaimed")))
            one.heal()
            ended = len(fleet.journal.of("end", pid=workers[0].pid, outcome="ok"))
            other.cut()
            await eventually(lambda: len(fleet.journal.of("end", pid=workers[0].pid, outcome="ok")) > ended)
            other.heal()
            ledger = await evaluation.ended()
        await fleet.check(ledger)
