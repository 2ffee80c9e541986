"""Waiting for what announces itself by no event: a bounded look again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from tests.kit.processes import PATIENCE_S

#: Seconds between two looks.
LOOK_S = 0.02


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], *, patience_s: float | None = PATIENCE_S
) -> None:
    """Look until the condition holds.

    Raises:
        TimeoutError: it did not within the patience of the tests.
    """
    async with asyncio.timeout(patience_s):
        while True:
            holds = condition()
            if await holds if isawaitable(holds) else holds:
                return
            await asyncio.sleep(LOOK_S)
