"""In which form calls answer whose form nobody has published: MM_EMULATOR_RESULTS."""

from __future__ import annotations

import functools
import os
from typing import Any, Callable, TypeVar, cast

_Method = TypeVar("_Method", bound=Callable[..., Any])

FORMS = ("status", "none", "object")


def form() -> str:
    """`status`, `none` or `object`.

    Raises:
        ValueError: it is set to something else.
    """
    chosen = os.environ.get("MM_EMULATOR_RESULTS", FORMS[0])
    if chosen not in FORMS:
        raise ValueError(f"MM_EMULATOR_RESULTS: {chosen!r} is not one of {', '.join(FORMS)}")
    return chosen


def answers(method: _Method) -> _Method:
    """A method that says by a Status how it went: gives that, or nothing, or its object.

    Without a Status a failure is raised, as the bindings of the SDK raise what its C++ throws.
    """

    @functools.wraps(method)
    def answer(self: Any, *arguments: Any, **named: Any) -> Any:
        status = method(self, *arguments, **named)
        chosen = form()
        if chosen == "status":
            return status
        if not status.ok():
            raise RuntimeError(str(status))
        return self if chosen == "object" else None

    return cast("_Method", answer)
