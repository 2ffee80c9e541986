"""How old an entry is, by the clock of the server that gave it its id."""

from __future__ import annotations

from typing import cast

from spanserve.doors.redis.queue_clock import QueueClock
from spanserve.queue import Consumer


class Server:
    """A server whose clock is far from ours; asking it takes 2 s of ours."""

    def __init__(self) -> None:
        self.ours = 100.0

    async def server_time_s(self) -> float:
        self.ours += 2.0
        return 5000.0 + self.ours - 1.0  # it looked halfway


async def test_age() -> None:
    """An entry's age is the time since its id by the server's clock, followed by ours between two looks."""
    server = Server()
    clock = QueueClock(lambda: server.ours)
    assert clock.age_s("5000000-0") is None
    await clock.look(cast(Consumer, server))
    assert 102.0 == clock.age_s("5000000-0")
    server.ours += 7.5
    assert 109.5 == clock.age_s("5000000-3")
    assert 0.0 == clock.age_s("9000000-0")
