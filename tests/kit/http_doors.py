"""The HTTP door on an engine in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from spanserve.doors.http.door import HttpDoor
from spanserve.doors.http.settings import HttpSettings
from spanserve.doors.listener import Listener
from tests.kit.serving import Rig


@asynccontextmanager
async def http_door(rig: Rig, listener: Listener | None = None) -> AsyncIterator[HttpDoor]:
    """A door that takes tasks; on any port unless told otherwise."""
    listen = (listener or Listener(address="127.0.0.1:0"),)
    door = HttpDoor(rig.inside, HttpSettings(listen=listen, drain_delay_s=0))
    await door.check()
    door.start()
    try:
        yield door
    finally:
        await door.close("the test ends")
