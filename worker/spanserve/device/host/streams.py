"""How many batches should a processor compute at a time, and how large? The first by rule, the second is measured."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Part of the best rate that is good enough.
ENOUGH = 0.97
#: Seconds that are timed at least for each size of batch.
MOMENT_S = 0.15
#: With more streams each has several threads: every stream takes memory, and its batch has to wait for windows.
MOST = 16


def streams_for(threads: int, lanes: int) -> int:
    """Streams that share the threads: one thread each, so that none waits for another within a batch.

    Args:
        lanes: batches that there may be at a time.
    """
    return max(1, min(threads, lanes, MOST))


def measure(run: Callable[[int], object], streams: int) -> float:
    """Batches per second with one in every stream.

    Args:
        run: computes a batch in one of the streams, and returns when it is done.
    """
    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(run, range(streams)))  # prepares the shape
        rounds, began = 0, time.perf_counter()
        while True:
            list(pool.map(run, range(streams)))
            rounds, took = rounds + 1, time.perf_counter() - began
            if took >= MOMENT_S:
                return streams * rounds / took


def largest(rates: Mapping[int, float]) -> int:
    """The largest batch whose rate is nearly the best: its way to the device and back is paid less often."""
    return max(batch for batch, rate in rates.items() if rate >= ENOUGH * max(rates.values()))
