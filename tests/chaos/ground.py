"""Where a scenario takes place: a folder, a Redis, a queue, workers; all of it gone afterwards but the journals."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spanserve.bundle import Bundle
from tests.faults.queue_fleet import LEASE_S, QueueFleet
from tests.kit.processes import WorkerProcess
from tests.kit.queue_rig import queue_rig
from tests.kit.redis_server import Persistence, RedisServer


@dataclass
class Ground:
    """What every scenario is given.

    Args:
        folder: for journals and logs.
        chance: decides whatever is left to chance; its seed repeats a run as far as processes can be.
        deadline: when to come to an end, monotonic.
    """

    folder: Path
    bundle: Bundle
    chance: random.Random
    deadline: float
    _fleets: int = field(default=0)

    @property
    def left_s(self) -> float:
        """Seconds until the end."""
        return self.deadline - time.monotonic()

    @asynccontextmanager
    async def fleet(
        self, name: str, *, persistence: Persistence = Persistence.NONE, **arguments: Any
    ) -> AsyncIterator[QueueFleet]:
        """A queue on a Redis of its own; its journal and the logs of its workers stay in a folder of that name."""
        self._fleets += 1
        folder = self.folder / f"{self._fleets:03d}-{name}"
        folder.mkdir(parents=True)
        workers: list[WorkerProcess] = []

        def start(*args: str, device: str, **options: Any) -> WorkerProcess:
            worker = WorkerProcess("--bundle", str(self.bundle.path), "--device", device, *args, **options)
            workers.append(worker)
            return worker

        async with AsyncExitStack() as stack:
            server = stack.enter_context(RedisServer(folder / "redis", persistence=persistence))
            rig = await stack.enter_async_context(queue_rig(server))
            lease_s = arguments.setdefault("lease_s", LEASE_S)
            await rig.provision(lease_ms=round(lease_s * 1000))
            try:
                yield QueueFleet(start, rig, self.bundle, folder, **arguments)
            finally:
                for number, worker in enumerate(workers):
                    worker.close()
                    (folder / f"worker{number:03d}.log").write_text("\n".join(worker.lines))
