"""What can go wrong when a bundle is built.

SpanserveError
└── BuildError    a checkpoint cannot become a bundle
"""

from __future__ import annotations

from spanserve.contract.errors import SpanserveError


class BuildError(SpanserveError):
    """A checkpoint cannot become a bundle. Names the file or option, what was found and what is needed."""
