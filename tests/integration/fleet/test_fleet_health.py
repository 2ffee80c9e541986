"""gRPC health of the fleet: an address that is its own."""

from __future__ import annotations

import pytest

from spanserve.contract.errors import SettingsError
from spanserve.doors.access import Access
from spanserve.doors.listener import Listener
from spanserve.fleet.health import FleetHealth
from tests.kit.fleets import HOST
from tests.kit.ports import free_ports


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
