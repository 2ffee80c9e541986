"""The command line as it was given, for a report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command with its arguments, without users and passwords of URLs.

    Args:
        arguments: those of the process unless given.
    """
    return shlex.join(["spanserve", *map(_safe, sys.argv[1:] if arguments is None else arguments)])


def _safe(argument: str) -> str:
    before, mark, rest = argument.partition("://")
    if not mark:
        return argument
    _, at, place = rest.rpartition("@")
    place, options, _ = place.partition("?")
    return f"{before}{mark}{'***@' if at else ''}{place}{'?***' if options else ''}"
