"""Simulated cards: their time passes, their lanes work side by side, and cards of different speed share a run."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

import numpy as np
import pytest

from spanserve.bundle import Bundle
from spanserve.client import Dispatcher
from spanserve.device import BatchFailed, Device
from spanserve.device.host.ring import RUNNING, STATE
from spanserve.device.kinds import published
from tests.kit.devices import BAD, whole
from tests.kit.processes import PATIENCE_S, WorkerProcess
from tests.kit.waiting import eventually
from tests.kit.wire import make_tasks


def submit(device: Device, rows: int, token: int = 7) -> Future[float]:
    """A batch of so many windows of 128 tokens, on a slot of its own."""
    slot = device.acquire()
    assert slot is not None
    slot.arrays(rows, 128).inputs["input_ids"][:] = token
    return slot.submit(rows, 128, PATIENCE_S)


@pytest.mark.parametrize("name", ["mlu370-x8", "mlu370-x4", "mlu370-s4"])
def test_time_passes(open_device: Callable[..., Device], name: str) -> None:
    """A batch takes no less than published, times the scale; the host says what it simulates."""
    device = open_device(f"sim:{name}?precision=fp32&time_scale=2")
    device.start()
    assert 2 * published(name, "fp32").seconds(8, 128) <= submit(device, 8).result(PATIENCE_S)
    assert (name, "fp32", 2.0) == tuple(device.info[key] for key in ("card", "precision", "time_scale"))


@pytest.mark.parametrize(("name", "lanes"), [("mlu370-x8", 2), ("mlu370-x4", 1), ("mlu370-s4", 1)])
async def test_lanes(open_device: Callable[..., Device], name: str, lanes: int) -> None:
    """So many batches run at a time, and the others wait, however many slots there are."""
    device = open_device(f"sim:{name}?hang_id={BAD}", slots=3)
    device.start()
    assert lanes == device.info["lanes"]
    waiting = [submit(device, 1, BAD) for _ in range(3)]

    def running() -> int:
        return sum(int(device.ring.header(slot)[STATE]) == RUNNING for slot in range(3))

    await eventually(lambda: running() == lanes)
    assert not any(future.done() for future in waiting)


def test_logits_and_faults(open_device: Callable[..., Device], sim_bundle: Bundle) -> None:
    """A card has the logits of `sim:fixed`, and fails on demand."""
    cards = [open_device(f"sim:{name}?fail_id={BAD}") for name in ("fixed", "mlu370-x8")]
    ids = np.arange(64, dtype=np.int32).reshape(2, 32)
    for device in cards:
        device.start()
    one, other = ([array.tolist() for array in device.compute(whole(ids)).values()] for device in cards)
    assert one == other
    with pytest.raises(BatchFailed):
        submit(cards[1], 1, BAD).result(PATIENCE_S)


# --- cards of different speed ------------------------------------------------------------------------------

#: Alone they would need minutes for what the tests send.
SLOW_X4 = "sim:mlu370-x4?time_scale=60"
SLOW_S4 = "sim:mlu370-s4?time_scale=60"
FAST_X8 = "sim:mlu370-x8"


async def finish(running: asyncio.Task[None]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await running


async def test_joining_and_leaving(start_worker: Callable[..., WorkerProcess], tmp_path: Path) -> None:
    """While cards of different speed work on a run one leaves in order and another joins: every task ends once."""
    late = f"unix:{tmp_path}/late.sock"
    staying, leaving = start_worker(device=SLOW_X4).wait_ready(), start_worker(device=SLOW_S4).wait_ready()
    dispatcher = Dispatcher([staying.address, leaving.address, late])
    slow, left, joined = dispatcher.connections
    counts: Counter[str] = Counter()

    async def consume() -> None:
        async for results in dispatcher.run(make_tasks(2000)):
            counts.update(result.id for result in results)

    running = asyncio.create_task(consume())
    await eventually(lambda: slow.answered > 0 and left.answered > 0)
    leaving.signal(SIGTERM)
    joining = start_worker("--listen", late, device=FAST_X8)
    await finish(running)
    assert {f"t{number}": 1 for number in range(2000)} == counts
    assert 2000 == sum(connection.answered for connection in dispatcher.connections)
    assert joined.answered > 0
    assert 0 == await asyncio.to_thread(leaving.wait)
    assert joining.process.poll() is None


@pytest.mark.parametrize("signal", [SIGSTOP, SIGKILL], ids=["stopped", "killed"])
async def test_a_worker_that_goes_quiet(start_worker: Callable[..., WorkerProcess], signal: int) -> None:
    """A worker that stops in the middle holds up nobody: the idle one takes its tasks again, or gets them back."""
    fast, slow = start_worker(device=FAST_X8).wait_ready(), start_worker(device=SLOW_S4).wait_ready()
    dispatcher = Dispatcher([fast.address, slow.address])
    counts: Counter[str] = Counter()
    try:
        async for results in dispatcher.run(make_tasks(800)):
            if not counts:
                await eventually(lambda: dispatcher.connections[1].load > 0)
                slow.process.send_signal(signal)
            counts.update(result.id for result in results)
    finally:
        with contextlib.suppress(ProcessLookupError):
            slow.process.send_signal(SIGCONT)
    assert {f"t{number}": 1 for number in range(800)} == counts
    assert signal == SIGKILL or dispatcher.copies > 0
