"""How a worker leaves: its doors one by one, and what it says meanwhile."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from spanserve.bundle import Bundle
from spanserve.doors.door import Inside
from spanserve.doors.grpc.settings import GrpcSettings
from spanserve.doors.listener import Listener
from spanserve.engine.state import State
from spanserve.worker.doors import DOORS
from spanserve.worker.run import EXIT_DEVICE_FAILED, EXIT_OK, Worker
from spanserve.worker.settings import Settings
from tests.kit.local_door import LocalDoor
from tests.kit.processes import PATIENCE_S
from tests.kit.waiting import eventually


async def _nothing() -> None:
    """Take no time."""


@dataclass(slots=True, eq=False)
class Leaving(LocalDoor):
    """A door that leaves as the test says."""

    draining: Callable[[], Awaitable[object]] = _nothing
    closing: Callable[[], Awaitable[object]] = _nothing

    async def drain(self) -> None:
        await LocalDoor.drain(self)
        await self.draining()

    async def close(self, reason: str) -> None:
        await LocalDoor.close(self, reason)
        await self.closing()


def worker_of(bundle: Bundle, *leaving: dict[str, Any], **settings: Any) -> tuple[Worker, list[Leaving]]:
    """A worker with these doors behind its own."""
    doors: list[Leaving] = []

    def maker(given: dict[str, Any]) -> Callable[[Inside, Settings], Leaving]:
        def make(inside: Inside, settings: Settings) -> Leaving:
            doors.append(Leaving(inside, **given))
            return doors[-1]

        return make

    grpc = GrpcSettings(listen=(Listener(address="127.0.0.1:0"),), drain_delay_s=0)
    made = Settings(bundle=bundle.path, device="sim:fixed", grpc=grpc, **settings)
    return Worker(made, (*DOORS, *map(maker, leaving))), doors


async def ready(worker: Worker) -> asyncio.Task[int]:
    """Run a worker until it is ready."""
    running = asyncio.create_task(worker.run())
    await eventually(lambda: worker.lifecycle.state is State.READY or running.done())
    return running


async def test_signs_of_life_to_the_end(sim_bundle: Bundle, tmp_path: Path) -> None:
    """Whoever watches a worker hears of it for as long as it brings away what has ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.setblocking(False)

        async def heard() -> None:
            while True:  # what came before the doors were closed
                try:
                    ear.recv(4096)
                except BlockingIOError:
                    break
            async with asyncio.timeout(PATIENCE_S):
                while b"WATCHDOG=1" not in await asyncio.get_running_loop().sock_recv(ear, 4096):
                    pass

        worker, _ = worker_of(
            sim_bundle, {"closing": heard}, notify_socket=str(tmp_path / "notify"), watchdog_usec=20_000
        )
        running = await ready(worker)
        worker.engine.give_up("a test says so")
        assert EXIT_DEVICE_FAILED == await running


async def test_the_first_word(sim_bundle: Bundle, tmp_path: Path) -> None:
    """Nothing is said before the doors have been checked: until then a supervisor has patience."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        worker, _ = worker_of(sim_bundle, {}, notify_socket=str(tmp_path / "notify"), watchdog_usec=20_000)
        running = await ready(worker)
        assert b"STATUS=starting" == ear.recv(4096)
        worker.stopping.set()
        assert EXIT_OK == await running


async def test_a_door_that_cannot_drain(sim_bundle: Bundle) -> None:
    """A fault in one door is logged and takes nothing from the others: they have their time."""
    go, drained = asyncio.Event(), asyncio.Event()

    async def broken() -> None:
        raise RuntimeError("the hinge is gone")

    async def slow() -> None:
        await go.wait()
        drained.set()

    worker, (_, behind) = worker_of(sim_bundle, {"draining": broken}, {"draining": slow})
    running = await ready(worker)
    with capture_logs() as lines:
        worker.stopping.set()
        await eventually(lambda: not behind.open)
        for _ in range(10):
            await asyncio.sleep(0)
        assert State.READY is worker.lifecycle.state
        go.set()
        assert EXIT_OK == await running
    assert drained.is_set()
    assert ["the hinge is gone"] == [str(line["exc_info"]) for line in lines if "exc_info" in line]


async def test_a_door_that_cannot_close(sim_bundle: Bundle) -> None:
    """A fault in closing one door is told in the end, when the others and the device are closed."""

    async def broken() -> None:
        raise RuntimeError("the hinge is gone")

    worker, (_, behind) = worker_of(sim_bundle, {"closing": broken}, {})
    running = await ready(worker)
    worker.stopping.set()
    with pytest.raises(RuntimeError, match="the hinge is gone"):
        await running
    assert "the worker shuts down" == behind.reason
    assert worker.serving.device.host_pid is None


async def test_a_device_that_fails_while_the_worker_drains(
    sim_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    """A drain that the device does not live to see is none, neither in the log nor by the exit status."""
    never = asyncio.Event()
    worker, (door,) = worker_of(sim_bundle, {"draining": never.wait})
    running = await ready(worker)
    worker.stopping.set()
    await eventually(lambda: not door.open)
    worker.engine.give_up("a test says so")
    assert EXIT_DEVICE_FAILED == await running
    assert "the device failed" == door.reason
    assert "drained" not in capsys.readouterr().out
