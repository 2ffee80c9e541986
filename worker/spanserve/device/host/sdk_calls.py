"""Calls of the SDK that fail with a message: the step, what the SDK said, and what can be done about it."""

from __future__ import annotations

from typing import Any, Callable

from ..sdk.results import CallFailed, do, get
from .backend import Refused
from .driver_codes import explain


def done(step: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """Make a call that is to do something. Returns the object that it gave, if it gave one; see `do`.

    Raises:
        Refused: it failed.
    """
    try:
        return do(call, *arguments)
    except CallFailed as error:
        raise Refused(f"{step}: {explain(str(error))}") from error


def made(step: str, call: Callable[..., Any], *, hint: str = "") -> Any:
    """What a call makes; see `get`.

    Raises:
        Refused: it failed, or made nothing; with the hint.
    """
    try:
        return get(call)
    except CallFailed as error:
        why = f"{step}: {explain(str(error))}"
        raise Refused(f"{why}; {hint}" if hint else why) from error
