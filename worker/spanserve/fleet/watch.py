"""Looks after one life of a worker: notes when it falls silent, kills it when it hangs, drains it at the end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import structlog

from spanserve.engine.waiting import first
from spanserve.fleet.child import LOOK_S, Child

#: Signs of life that are missed before a worker no longer counts as serving.
MISSED = 2
#: Seconds until a worker must have sent its first message, which it does once it listens.
FIRST_WORD_S = 120.0
#: Seconds a worker that was told twice to stop gets to do so.
HURRY_S = 10.0

log = structlog.get_logger(__name__)


def life_s(watchdog_s: float) -> float:
    """Seconds between two signs of life, if a worker that is silent for `watchdog_s` is killed."""
    return min(LOOK_S, watchdog_s / 2)


async def attend(
    child: Child, device: str, *, watchdog_s: float, stop: asyncio.Event, on_silence: Callable[[], None]
) -> None:
    """Look after a worker until it has ended or is to stop; kill one that is silent for too long.

    Args:
        on_silence: called while it misses signs of life.
    """
    while not child.ended.done() and not stop.is_set():
        await child.look()
        limit_s = watchdog_s if child.heard else max(FIRST_WORD_S, watchdog_s)
        if child.silent_s > limit_s:
            log.error("worker hangs", device=device, silent_s=round(child.silent_s, 1))
            child.signal(signal.SIGKILL)
        elif child.heard and child.silent_s > (MISSED + 1) * life_s(watchdog_s):
            on_silence()
        await first(stop, child.ended, timeout_s=LOOK_S)


async def drain(child: Child, device: str, *, limit_s: float, hurry: asyncio.Event) -> None:
    """Tell a worker to stop, and ensure that it does."""
    loop = asyncio.get_running_loop()
    child.signal(signal.SIGTERM)
    deadline = loop.time() + limit_s
    hurried = False
    while not child.ended.done():
        await child.look()
        await first(child.ended, *(() if hurried else (hurry,)), timeout_s=LOOK_S)
        if hurry.is_set() and not hurried:
            hurried = True
            child.signal(signal.SIGTERM)
            deadline = min(deadline, loop.time() + HURRY_S)
        if loop.time() > deadline and not child.ended.done():
            log.error("worker does not stop", device=device)
            child.signal(signal.SIGKILL)
            await asyncio.wait({child.ended})
