"""How the compile step fails: which step, and what the SDK said."""

from __future__ import annotations

from typing import Any


class StepFailed(Exception):
    """A step did not succeed.

    Args:
        step: its name, one of `spanserve.builder.targets.compiler.STEPS`.
        message: what the SDK said, or what is missing.
    """

    def __init__(self, step: str, message: str) -> None:
        super().__init__(message)
        self.step = step


def check(step: str, what: str, status: Any) -> None:
    """Pass a Status that is ok.

    Raises:
        StepFailed: it is not; with its own text.
    """
    if not status.ok():
        raise StepFailed(step, f"{what}: {status}")
