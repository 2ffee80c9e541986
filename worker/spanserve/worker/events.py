"""Waiting for whatever comes first."""

from __future__ import annotations

import asyncio
from typing import Any


async def first(*events: asyncio.Event | asyncio.Task[Any], timeout_s: float | None = None) -> None:
    """Wait until an event is set, a task is done, or the time is up."""
    waiting = [
        asyncio.ensure_future(event.wait()) if isinstance(event, asyncio.Event) else event for event in events
    ]
    await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for event, wait in zip(events, waiting, strict=True):
        if wait is not event:
            wait.cancel()
