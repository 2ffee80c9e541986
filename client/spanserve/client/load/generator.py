"""Puts questions to workers, in a closed or in an open loop."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

from spanserve.client.errors import AccessDenied, ClientError
from spanserve.client.load.level import Kind, Level
from spanserve.client.load.samples import Samples
from spanserve.contract import Refusal, Task, TaskResult

#: Questions of an open loop that may be under way; more would measure this process.
MAX_UNDER_WAY = 20_000


class Generator:
    """Puts questions to workers and notes how long each took.

    The time of a question of an open loop counts from the moment it was due by its Poisson process, whatever kept it
    from going out: a worker that stalls is late for all that come meanwhile, not for one.

    Args:
        answer: has one question answered; raises a Refusal or a ClientError.
        tasks: what to ask, over and over, each of one question.
        warmup_s: seconds at the beginning of every level that do not count.
        measured_s: seconds after them that do.
        chance: for arrivals.
        tell: told of every answer, with all that there are so far.
    """

    def __init__(
        self,
        answer: Callable[[Task], Awaitable[TaskResult]],
        tasks: Iterator[Task],
        *,
        warmup_s: float,
        measured_s: float,
        chance: random.Random,
        tell: Callable[[int], None] = lambda answers: None,
        processor_s: Callable[[], float] = time.process_time,
    ) -> None:
        self.warmup_s, self.measured_s = warmup_s, measured_s
        self._answer = answer
        self._tasks = tasks
        self._chance = chance
        self._tell = tell
        self._processor_s = processor_s
        #: The level that is being measured.
        self._now_measured: Callable[[], Level | None] = lambda: None

    def so_far(self) -> Level | None:
        """What was measured of the level that was broken off."""
        return self._now_measured()

    async def closed(self, in_flight: int) -> Level:
        """Keep so many questions in flight.

        Raises:
            ClientError: no worker lets this client in, or nothing was measured.
        """
        samples, _ = self._begin("closed", in_flight)
        async with _together() as group:
            for _ in range(in_flight):
                group.create_task(self._loop(samples))
        return self._done()

    async def open(self, rate: float) -> Level:
        """Let questions come at random, so many per second on average, and wait for all that count.

        Raises:
            ClientError: no worker lets this client in, too many wait, or nothing was measured.
        """
        samples, clock = self._begin("open", rate)
        due = clock()
        async with _together() as group:
            while (due := due + self._chance.expovariate(rate)) < samples.end:
                await asyncio.sleep(max(0.0, due - clock()))
                if samples.under_way >= MAX_UNDER_WAY:
                    raise ClientError(
                        f"{samples.under_way} questions are under way: the workers are far too slow for {rate:g}/s"
                    )
                group.create_task(self._ask(samples, due))
        return self._done()

    def _begin(self, kind: Kind, load: float) -> tuple[Samples, Callable[[], float]]:
        clock = asyncio.get_running_loop().time
        begin = clock() + self.warmup_s
        samples = Samples(begin, begin + self.measured_s, self._processor_s)
        self._now_measured = lambda: samples.level(kind, load, clock())
        return samples, clock

    def _done(self) -> Level:
        level = self._now_measured()
        self._now_measured = lambda: None
        if level is None:
            raise ClientError("no question was due in the measured time: measure for more seconds")
        return level

    async def _loop(self, samples: Samples) -> None:
        clock = asyncio.get_running_loop().time
        while (due := clock()) < samples.end:
            await self._ask(samples, due)

    async def _ask(self, samples: Samples, due: float) -> None:
        clock, error = asyncio.get_running_loop().time, ""
        samples.asked(due)
        try:
            await self._answer(next(self._tasks))
        except AccessDenied:
            raise
        except Refusal as refusal:
            error = refusal.code.name.lower()
        except ClientError as problem:
            error = type(problem).__name__
        samples.ended(due, clock(), error)
        self._tell(samples.answers)


@asynccontextmanager
async def _together() -> AsyncIterator[asyncio.TaskGroup]:
    """Tasks that are waited for at the end; the first error of one ends all, and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
