"""Where a task was before it came to the worker."""

from __future__ import annotations

from dataclasses import dataclass

from spanserve.contract.trace import TraceContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a door knows of that: for observers, without effect on what becomes of the task."""

    #: The trace it belongs to.
    trace: TraceContext | None = None
    #: The queue in which it waited, and for how many seconds; empty for a task that came straight here.
    queue: str = ""
    waited_s: float = 0.0


#: A task of which nothing is known.
UNKNOWN = Origin()
