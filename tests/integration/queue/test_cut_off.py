"""A Redis that is killed while it writes an end to its file."""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.kit.queue_rig import queue_rig
from tests.kit.redis_server import Executable, Persistence, RedisServer

StartRedis = Callable[..., RedisServer]


def cut_off(server: RedisServer) -> None:
    """Take the last bytes of what a server has written."""
    (file,) = (
        path
        for path in server.folder.rglob("appendonly.aof*")
        if path.name.endswith(("incr.aof", "only.aof"))
    )
    written = file.read_bytes()
    assert written.endswith(b"EXEC\r\n")
    os.truncate(file, len(written) - 3)


async def test_half_an_end(start_redis: StartRedis, redis_executable: Executable) -> None:
    """Redis forgets the end and brings half of it back later: two events of a task, but one state and one result."""
    server = start_redis(redis_executable, persistence=Persistence.ALWAYS)
    async with queue_rig(server) as rig:
        await rig.provision()
        task, lease = await rig.submitted_and_claimed()
        assert "ok" == await rig.end(lease)
    server.kill()
    cut_off(server)
    server.start()
    async with queue_rig(server) as rig:
        assert ("queued", []) == (rig.state(task), await rig.events())
        assert "ok" == await rig.end(lease)
    server.restart()
    async with queue_rig(server) as rig:
        assert [(task.id, "done")] * 2 == await rig.events()
        assert ("done", {task.id: b"a"}) == (rig.state(task), rig.blobs())
        assert ((0, 0), (0, 0)) == (rig.depth(), rig.load())
        assert ["ended"] == await rig.submit(task)
