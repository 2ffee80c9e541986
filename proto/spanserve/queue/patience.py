"""Waiting out what a server refuses for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from spanserve.contract.backoff import Backoff
from spanserve.queue.connection import LONGEST_PAUSE_S
from spanserve.queue.errors import QueueRefusing

_T = TypeVar("_T")


async def patiently(
    call: Callable[[], Awaitable[_T]], wait_s: float, tell: Callable[[str], None] | None = None
) -> _T:
    """Make a call again for as long as Redis refuses it for a reason that passes.

    Args:
        wait_s: seconds after which the refusal is raised.
        tell: called with each reason for waiting, once.

    Raises:
        QueueRefusing: it did not pass in time.
    """
    backoff = Backoff(LONGEST_PAUSE_S / 5)
    give_up = time.monotonic() + wait_s
    told = ""
    while True:
        try:
            return await call()
        except QueueRefusing as refusal:
            if time.monotonic() > give_up:
                raise
            if tell is not None and str(refusal) != told:
                told = str(refusal)
                tell(f"waiting: {told}")
            await asyncio.sleep(backoff.next_s())
