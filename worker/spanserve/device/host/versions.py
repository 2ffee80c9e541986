"""Versions of runtimes: whether a bundle accepts the one that is installed."""

from __future__ import annotations

import re

from .backend import Refused


def check_version(runtime: str, found: str, oldest: str, first_refused: str) -> None:
    """Refuse a runtime that the bundle was not made for: `oldest` <= found < `first_refused`.

    Raises:
        Refused: with what was found and what is needed.
    """
    if not _numbers(oldest) <= _numbers(found) < _numbers(first_refused):
        raise Refused(
            f"this bundle needs {runtime} {oldest} or later, below {first_refused}; installed is {found}"
        )


def _numbers(version: str) -> tuple[int, ...]:
    """`2026.4.1-22982-abcdef` -> (2026, 4, 1)."""
    return tuple(int(part) for part in re.findall(r"\d+", version.split("-")[0]))
