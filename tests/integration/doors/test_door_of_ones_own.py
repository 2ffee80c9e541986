"""A door costs one file: this one is handed to a worker, which knows nothing of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from spanserve.contract import Refusal
from spanserve.doors.door import Inside
from spanserve.doors.grpc.settings import GrpcSettings
from spanserve.doors.listener import Listener
from spanserve.worker.doors import DOORS
from spanserve.worker.run import EXIT_OK, Worker
from spanserve.worker.settings import Settings
from tests.kit.local_door import LocalDoor
from tests.kit.waiting import eventually
from tests.kit.wire import make_task, make_tasks, open_raw, raw_stream


async def test_a_door_of_ones_own(sim_bundle: Bundle) -> None:
    """A running worker answers through a door that it was handed, beside its own, and drains it with them."""
    made: list[LocalDoor] = []

    def local_door(inside: Inside, settings: Settings) -> LocalDoor:
        made.append(LocalDoor(inside))
        return made[0]

    settings = Settings(
        bundle=sim_bundle.path,
        device="sim:fixed",
        grpc=GrpcSettings(listen=(Listener(address="127.0.0.1:0"),), drain_delay_s=0),
    )
    worker = Worker(settings, (*DOORS, local_door))
    running = asyncio.create_task(worker.run())
    (door,) = made
    await eventually(lambda: door.open or running.done())
    results = await asyncio.gather(*(door.call(task) for task in make_tasks(40)))
    assert [f"t{number}" for number in range(40)] == [result.id for result in results]
    assert all(question.answer is not None for result in results for question in result.questions)

    address = next(door.address for door in worker.doors if hasattr(door, "address"))
    async with open_raw(address), raw_stream(address) as stream:
        await stream.send_tasks([make_task("beside")])
        heard = await stream.until(results=1)
    (same,) = (result for result in results if result.id == "t0")
    assert same.model_digest == heard.results["beside"].model_digest

    worker.stopping.set()
    assert EXIT_OK == await running
    assert "the worker shuts down" == door.reason
    with pytest.raises(Refusal, match="the door is closed"):
        await door.call(make_task("late"))


def test_its_size() -> None:
    """The whole of that door is one file of at most 80 lines."""
    assert len((Path(__file__).parents[2] / "kit" / "local_door.py").read_text().splitlines()) <= 80
