"""Looks after one life of a worker: kills it when it hangs, drains it when it is to stop."""

from __future__ import annotations

import asyncio
import signal

import structlog

from spanserve.worker.events import first
from spanserve.worker.up.child import Child

#: Seconds between two looks at a worker.
LOOK_S = 1.0
#: Seconds until a worker must have said its first word, which it does once it listens.
FIRST_WORD_S = 120.0
#: Seconds a worker that was told twice to stop gets to do so.
HURRY_S = 10.0

log = structlog.get_logger(__name__)


async def attend(child: Child, device: str, *, watchdog_s: float, stop: asyncio.Event) -> None:
    """Look after a worker until it has ended or is to stop; kill one that is silent for too long."""
    while not child.ended.done() and not stop.is_set():
        await child.look()
        limit = watchdog_s if child.heard else max(FIRST_WORD_S, watchdog_s)
        # Looks are counted, not seconds: while we are suspended, its signs of life wait to be read.
        if child.silent_for * LOOK_S > limit:
            log.error("worker hangs", device=device, silent_s=limit)
            child.signal(signal.SIGKILL)
        await first(stop, child.ended, timeout_s=LOOK_S)


async def drain(child: Child, device: str, *, limit_s: float, hurry: asyncio.Event) -> None:
    """Tell a worker to stop, and see to it that it does."""
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
