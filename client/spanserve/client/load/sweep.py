"""From light load to more than the workers can take, to find the knee."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from spanserve.client.load.generator import Generator
from spanserve.client.load.level import Level

#: The closed loop ends when this many levels in a row have brought less than GAIN times the best before; but not
#: before AT_LEAST, which fills the batches of most workers.
FLAT = 2
GAIN = 1.05
AT_LEAST, AT_MOST = 32, 4096
#: Parts of the highest rate at which questions then come in an open loop.
PARTS = (0.5, 0.7, 0.8, 0.9)
#: The knee is the smallest level that reaches this part of the highest rate.
KNEE = 0.95


#: Loads that a sweep has.
FEWEST, MOST = AT_LEAST.bit_length() + len(PARTS), AT_MOST.bit_length() + len(PARTS)


@dataclass(frozen=True, slots=True)
class Knee:
    """Where more in flight brings little but waiting."""

    #: The highest rate of the closed loop, in answers per second.
    most: float
    #: The smallest level that comes near it.
    level: Level


async def sweep(generator: Generator) -> AsyncIterator[Level]:
    """Measure a closed loop with 1, 2, 4 ... in flight until that brings no more; then an open loop up to its rate."""
    best, flat, in_flight = 0.0, 0, 1
    while (flat < FLAT or in_flight <= AT_LEAST) and in_flight <= AT_MOST:
        level = await generator.closed(in_flight)
        yield level
        flat = 0 if level.rate > GAIN * best else flat + 1
        best = max(best, level.rate)
        in_flight *= 2
    if best:
        for part in PARTS:
            yield await generator.open(part * best)


def knee(levels: Sequence[Level]) -> Knee | None:
    """The knee of the closed loop; None where nothing was answered in one."""
    closed = [level for level in levels if level.kind == "closed"]
    most = max((level.rate for level in closed), default=0.0)
    if not most:
        return None
    return Knee(most, next(level for level in closed if level.rate >= KNEE * most))
