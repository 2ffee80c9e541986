"""Waiting: for whatever comes first, and for the next change."""

from __future__ import annotations

import asyncio
from typing import Any


async def first(*events: asyncio.Event | asyncio.Future[Any], timeout_s: float | None = None) -> None:
    """Wait until an event is set, a future (a task is one) is done, or the time is up."""
    waiting = [
        asyncio.ensure_future(event.wait()) if isinstance(event, asyncio.Event) else event for event in events
    ]
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for event, wait in zip(events, waiting, strict=True):
            if wait is not event:
                wait.cancel()


class Changes:
    """Wakes all who wait for the next change.

    Attributes:
        next: set at the next change, and replaced by another. Take it before you look at what may change.
    """

    def __init__(self) -> None:
        self.next = asyncio.Event()

    def tell(self) -> None:
        """Something has changed."""
        self.next.set()
        self.next = asyncio.Event()
