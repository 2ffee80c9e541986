"""Versions of runtimes: which one is installed, and whether a bundle accepts it."""

from __future__ import annotations

import glob
import os
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


def wheel_version(package_file: str) -> str:
    """The version of the wheel that a package came from, as its metadata folder says; empty if there is none.

    Args:
        package_file: `__file__` of the top-level package. (`importlib.metadata` came with Python 3.8.)
    """
    package = os.path.dirname(os.path.abspath(package_file))
    folder, name = os.path.split(package)
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), name + "-*.dist-info"))):
        return os.path.basename(path)[len(name) + 1 : -len(".dist-info")]
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """`2026.4.1-22982-abcdef` -> (2026, 4, 1)."""
    return tuple(int(part) for part in re.findall(r"\d+", version.split("-")[0]))
