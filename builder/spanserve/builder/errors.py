"""What can go wrong when a bundle is built.

SpanserveError
└── BuildError    a checkpoint cannot become a bundle
    └── Unfit     its graph no longer answers as the checkpoint does
"""

from __future__ import annotations

from spanserve.bundle import Verification
from spanserve.contract.errors import SpanserveError


class BuildError(SpanserveError):
    """A checkpoint cannot become a bundle. Names the file or option, what was found and what is needed."""


class Unfit(BuildError):
    """The compiled graph no longer answers as the checkpoint does.

    Args:
        verification: how far they are apart.
    """

    def __init__(self, verification: Verification, message: str) -> None:
        super().__init__(message)
        self.verification = verification


def first_line(error: Exception) -> str:
    """What an error of a library says, on one line; its kind if it says nothing."""
    return str(error).strip().split("\n")[0] or type(error).__name__
