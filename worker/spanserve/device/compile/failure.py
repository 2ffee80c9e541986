"""How the compile step fails: which step, and what the SDK said."""

from __future__ import annotations

from typing import Any, Callable

from ..sdk.results import CallFailed, do, get


class StepFailed(Exception):
    """A step did not succeed.

    Args:
        step: its name, one of `spanserve.builder.targets.compiler.STEPS`.
        message: what the SDK said, or what is missing.
    """

    def __init__(self, step: str, message: str) -> None:
        super().__init__(message)
        self.step = step


def done(step: str, what: str, call: Callable[..., Any], *arguments: Any) -> None:
    """Make a call that is to do something; see `do`.

    Raises:
        StepFailed: it failed; with what the SDK said.
    """
    try:
        do(call, *arguments)
    except CallFailed as error:
        raise StepFailed(step, f"{what}: {error}") from error


def made(step: str, what: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call makes; see `get`.

    Raises:
        StepFailed: it failed, or made nothing.
    """
    try:
        return get(call, *arguments)
    except CallFailed as error:
        raise StepFailed(step, f"{what}: {error}") from error
