"""Calls of the SDK: a Status that may not be OK, an object that may be None, an exception."""

from __future__ import annotations

from typing import Any, Callable

from .backend import Refused
from .driver_codes import explain


def check(status: Any, step: str) -> None:
    """Go on only if a call went well.

    Raises:
        Refused: it did not; with the step, the SDK's message and what can be done.
    """
    if not status.ok():
        raise Refused(f"{step}: {explain(str(status))}")


def made(make: Callable[[], Any], step: str, hint: str = "") -> Any:
    """What a call makes.

    Raises:
        Refused: it raised, or gave None, or a Status in place of the thing; with the hint.
    """
    try:
        thing = make()
        if hasattr(thing, "ok"):
            check(thing, step)
    except Exception as error:
        why = str(error) if isinstance(error, Refused) else f"{step}: {explain(str(error))}"
        raise Refused(f"{why}; {hint}" if hint else why) from error
    if thing is None:
        raise Refused(f"{step}: the SDK gave none; {hint or 'its log above says why'}")
    return thing
