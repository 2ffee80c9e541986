"""What a check has found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.Enum):
    """How bad it is."""

    OK = "ok"
    #: It serves, but this should be checked.
    WARNING = "warning"
    #: It does not serve like this.
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Attributes:
        name: of the thing.
        found: what is the case.
        advice: what to do; empty where nothing has to be done.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def ok(name: str, found: str) -> Finding:
    """Nothing has to be done."""
    return Finding(name, Verdict.OK, found)


def warning(name: str, found: str, advice: str) -> Finding:
    """It serves, but should be looked into."""
    return Finding(name, Verdict.WARNING, found, advice)


def failed(name: str, found: str, advice: str) -> Finding:
    """It does not serve."""
    return Finding(name, Verdict.FAILED, found, advice)
