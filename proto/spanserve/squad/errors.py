"""What is wrong with a data set."""

from __future__ import annotations

from spanserve.contract.errors import SpanserveError


class SquadError(SpanserveError):
    """A data set cannot be read. Names the file, the place in it, what was found and expected."""
