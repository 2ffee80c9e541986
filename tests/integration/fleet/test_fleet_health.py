"""gRPC health of the fleet: an address that is its own."""

from __future__ import annotations

import asyncio

import pytest

from spanserve.contract.errors import SettingsError
from spanserve.doors.access import Access
from spanserve.doors.grpc import reads
from spanserve.doors.listener import Listener
from spanserve.fleet.health import FleetHealth
from tests.kit.fleets import HOST
from tests.kit.half_messages import HalfMessages
from tests.kit.ports import free_ports
from tests.kit.waiting import eventually


async def test_one_fleet_a_port() -> None:
    """A second fleet does not share the port of the first, but is told that it is in use."""
    address = f"{HOST}:{free_ports(1)}"
    listener, access = Listener(address=address), Access()
    first, second = FleetHealth(listener, access), FleetHealth(listener, access)
    await first.start()
    try:
        with pytest.raises(SettingsError, match=f"health is {address}"):
            await second.start()
    finally:
        await first.close()
        await second.close()


async def test_half_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that never end are given up here as on a worker: the supervisor holds no more of them than that."""
    monkeypatch.setattr(reads, "READ_S", 0.2)
    address = f"{HOST}:{free_ports(1)}"
    served = FleetHealth(Listener(address=address), Access())
    await served.start()
    attacker = await HalfMessages.connect(address, 1_000_000)
    attacker.begin("/grpc.health.v1.Health/Check", 20)
    running = asyncio.create_task(attacker.run())
    try:
        await eventually(lambda: attacker.ended == 20)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await served.close()
