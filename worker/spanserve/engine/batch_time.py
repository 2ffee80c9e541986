"""How long a batch may run before its host is killed."""

from __future__ import annotations

#: A batch may run this many seconds, or this many times its estimate, whichever is more.
BATCH_TIMEOUT_S = 20.0
BATCH_TIMEOUT_FACTOR = 5.0


def timeout_s(estimate: float) -> float:
    """Seconds that a batch may run, by those it is estimated to take."""
    return max(BATCH_TIMEOUT_S, BATCH_TIMEOUT_FACTOR * estimate)
