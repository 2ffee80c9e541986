"""An engine as tests use it, whatever its tasks and its device are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Generic

from spanserve.bundle import CostTable
from spanserve.engine.batcher import Batcher
from spanserve.engine.engine import Engine
from spanserve.engine.pipeline import ResultT, TaskT
from spanserve.engine.request import Request, Row
from tests.kit.processes import PATIENCE_S


class WatchedBatcher(Batcher):
    """Tells when rows have entered."""

    def __init__(self, cost: CostTable, max_batch: int, max_length: int) -> None:
        super().__init__(cost, max_batch, max_length)
        self.entered = asyncio.Semaphore(0)

    def add(self, row: Row) -> None:
        super().add(row)
        self.entered.release()


@dataclass(slots=True, kw_only=True)
class EngineRig(Generic[TaskT, ResultT]):
    """An engine that is asked without a door."""

    engine: Engine[TaskT, ResultT]
    batcher: WatchedBatcher

    def submit(self, *tasks: TaskT) -> tuple[list[Request[TaskT]], list[asyncio.Future[ResultT]]]:
        """Give tasks to the engine; a future of the result of each."""
        futures: list[asyncio.Future[ResultT]] = [asyncio.get_running_loop().create_future() for _ in tasks]
        return [
            self.engine.submit(task, future.set_result) for task, future in zip(tasks, futures, strict=True)
        ], futures

    async def run(self, *tasks: TaskT) -> list[ResultT]:
        """Give tasks to the engine and wait for all results, in order."""
        async with asyncio.timeout(PATIENCE_S):
            return list(await asyncio.gather(*self.submit(*tasks)[1]))

    async def entered(self, rows: int) -> None:
        """Wait until so many more rows have entered the backlog."""
        for _ in range(rows):
            await self.batcher.entered.acquire()
