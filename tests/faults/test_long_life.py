"""A worker that lives long: what it needs does not grow, and Redis keeps nothing for ever."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import psutil
import pytest

from tests.faults.queue_fleet import QueueFleet, single_tasks
from tests.kit.processes import WorkerProcess
from tests.kit.queue_rig import undocumented_keys
from tests.kit.waiting import eventually

MakeFleet = Callable[..., Awaitable[QueueFleet]]

MIB = 1 << 20
#: Growth of memory that says nothing: an allocator returns what is free when it likes to.
NOISE = 8 * MIB
#: So does a pool that makes its threads and connections when they are first wanted.
FEW = 4
LIVES = [
    pytest.param(3, 300, id="short"),
    pytest.param(50, 4000, id="long", marks=[pytest.mark.long, pytest.mark.timeout(3600)]),
]


def needs(worker: WorkerProcess) -> tuple[int, int, int]:
    """Bytes in memory, descriptors and threads of a worker."""
    process = psutil.Process(worker.pid)
    return process.memory_info().rss, process.num_fds(), process.num_threads()


@pytest.mark.parametrize(("rounds", "count"), LIVES)
async def test_nothing_grows(make_fleet: MakeFleet, rounds: int, count: int) -> None:
    """D69: while other workers come, stop and are killed, one stays as large as it was; every key has an expiry."""
    fleet = await make_fleet(device="sim:fixed?latency_ms=1")
    staying = fleet.worker()
    await fleet.ready(staying)
    at_first = (0, 0, 0)
    for number in range(rounds):
        passing = fleet.worker()
        await fleet.ready(passing)
        tasks = single_tasks(count, f"{number}-")
        async with fleet.evaluation(tasks) as evaluation:
            await evaluation.reached(0.3)
            passing.signal(signal.SIGTERM if number % 2 else signal.SIGKILL)
            await asyncio.to_thread(passing.wait)
            ledger = await evaluation.ended()
        assert (count, 0) == (len(ledger.answered), ledger.again)
        await eventually(lambda: fleet.rig.depth() == (0, 0))
        if number == rounds * 2 // 5:  # a long life has then filled the list of answers that may be in doubt
            at_first = needs(staying)
    memory, descriptors, threads = needs(staying)
    print(
        f"{rounds * count} tasks: {(memory - at_first[0]) / MIB:+.1f} of {at_first[0] / MIB:.0f} MiB, "
        f"{descriptors} of {at_first[1]} descriptors, {threads} of {at_first[2]} threads"
    )
    assert memory - at_first[0] < max(NOISE, 0.02 * at_first[0])
    limits = (at_first[1] + FEW, at_first[2] + FEW)
    await eventually(lambda: all(now <= most for now, most in zip(needs(staying)[1:], limits, strict=True)))
    assert [] == undocumented_keys(fleet.rig.plain, fleet.rig.keys)
