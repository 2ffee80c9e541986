"""A measurement from its first question to its last, or to where it was broken off."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from spanserve.client.errors import ClientError
from spanserve.client.load.generator import Generator
from spanserve.client.load.level import Level
from spanserve.client.load.progress import LoadProgress
from spanserve.client.load.sweep import FEWEST, MOST, sweep
from spanserve.client.transport import Described, Transport
from spanserve.contract import Options, Priority, Task
from spanserve.options.terminal import Terminal
from spanserve.squad import Dataset


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, by whom it was answered, and whether it was broken off."""

    levels: tuple[Level, ...]
    workers: Described
    interrupted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What to ask, where, and under which loads.

    Attributes:
        connect: makes the way to workers, inside the event loop.
        in_flight: levels of the closed loop.
        rates: questions per second of the open loop. Without either: a sweep over both.
        timeout_ms: in which a question must be answered.
    """

    dataset: Dataset
    connect: Callable[[], Transport]
    in_flight: Sequence[int] = ()
    rates: Sequence[float] = ()
    priority: Priority = Priority.INTERACTIVE
    timeout_ms: int = 30_000
    warmup_s: float = 2.0
    measured_s: float = 10.0
    seed: int = 1

    def run(self, console: Terminal) -> Measured:
        """Measure every level; SIGINT breaks that off, and what was measured stands.

        Raises:
            ClientError: no worker can be reached or lets this client in, or no question can be asked.
        """
        return asyncio.run(self._run(console))

    async def _run(self, console: Terminal) -> Measured:
        levels: list[Level] = []
        progress = LoadProgress(console)
        chance = random.Random(self.seed)  # noqa: S311 - arrivals, no secret
        tasks = self._tasks(chance)
        transport = self.connect()
        try:
            workers = await transport.wait_ready()
            generator = Generator(
                transport.answer,
                tasks,
                warmup_s=self.warmup_s,
                measured_s=self.measured_s,
                chance=chance,
                tell=progress.answered,
            )
            try:
                progress.begins(*self._loads(), self.warmup_s + self.measured_s)
                async with progress.shown():
                    async for level in self._levels(generator):
                        levels.append(level)
                        progress.done(level)
            except asyncio.CancelledError:
                broken_off = generator.so_far()
                levels += [broken_off] if broken_off is not None else []
                return Measured(tuple(levels), workers, interrupted=True)
        finally:
            await transport.close()
        return Measured(tuple(levels), workers, interrupted=False)

    async def _levels(self, generator: Generator) -> AsyncIterator[Level]:
        if not self.in_flight and not self.rates:
            async for level in sweep(generator):
                yield level
        for in_flight in self.in_flight:
            yield await generator.closed(in_flight)
        for rate in self.rates:
            yield await generator.open(rate)

    def _loads(self) -> tuple[int, int]:
        """How many loads there will be, at least and at most."""
        given = len(self.in_flight) + len(self.rates)
        return (given, given) if given else (FEWEST, MOST)

    def _tasks(self, chance: random.Random) -> Iterator[Task]:
        """Every question as a task of its own, in random order, over and over.

        Raises:
            ClientError: the data set has none that could be asked.
        """
        passages, _ = self.dataset.tasks("", Options(), self.timeout_ms)
        tasks = [
            replace(task, id="bench", questions=(question,), priority=self.priority)
            for task in passages
            for question in task.questions
        ]
        if not tasks:
            raise ClientError(f"{self.dataset.name} holds no question that could be asked")
        chance.shuffle(tasks)
        return itertools.cycle(tasks)
