"""Results of SDK calls: a Status that may not be OK, an object that may be None."""

from __future__ import annotations

from typing import Any

from .driver_codes import explain


def check(status: Any, step: str) -> None:
    """Go on only if a call went well.

    Raises:
        RuntimeError: it did not; with the step, the SDK's message and what can be done.
    """
    if not status.ok():
        raise RuntimeError(f"{step}: {explain(str(status))}")


def made(thing: Any, step: str, hint: str = "the SDK's log above says why") -> Any:
    """What a call has made.

    Raises:
        RuntimeError: it gave None, or a Status in place of the thing.
    """
    if thing is None:
        raise RuntimeError(f"{step}: the SDK gave none; {hint}")
    if hasattr(thing, "ok"):
        check(thing, step)
    return thing
