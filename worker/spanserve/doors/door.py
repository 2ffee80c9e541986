"""What a way into the worker is: five verbs, and what the worker hands to each.

    check ──▶ start ──▶ (give_back)* ──▶ drain ──▶ close
      │                                              ▲
      └──────────────── at any time ─────────────────┘

The worker's life calls them, in that order and on its event loop; it knows no door by name. `close` may come at any
time, also after a `check` that failed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from spanserve.bundle import Manifest
from spanserve.contract import Task, TaskResult, WorkerStatus
from spanserve.doors.access import Access
from spanserve.engine.admission import Admission
from spanserve.engine.engine import Engine
from spanserve.qa import LogitsResult, LogitsTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """The worker as its doors see it."""

    engine: Engine[Task, TaskResult]
    #: The one way to the backlog: all doors draw on one capacity, and every caller gets its share of it.
    admission: Admission[Task, TaskResult]
    #: What the worker reports about itself now.
    status: Callable[[], WorkerStatus]
    #: What it serves: one variant of its bundle.
    manifest: Manifest
    #: Metrics in the text format of Prometheus.
    metrics: Callable[[], bytes] = bytes
    #: Who is let in. Without files of credentials: everyone who reaches a listener.
    access: Access = field(default_factory=Access)

    @property
    def logits(self) -> Admission[LogitsTask, LogitsResult]:
        """The same way for rows of tokens: the engine gives every kind of task a result of its kind."""
        return cast(Any, self.admission)  # type: ignore[no-any-return] # no type says that


class Door(Protocol):
    """One way in. Tasks become work by `Inside.admission`, their results leave the way they came."""

    async def check(self) -> None:
        """Check that the door can be used, and answer from now on callers that ask how the worker is.

        Called before the model is loaded: a mistake in the settings should not wait for that.

        Raises:
            SpanserveError: it cannot, and waiting will not help.
        """

    def start(self) -> None:
        """The engine is ready: take tasks."""

    def give_back(self) -> None:
        """The device is gone for a while: let others have what has not been on it, if the protocol allows that."""

    async def drain(self) -> None:
        """Take no new tasks. Returns once none can come any more; may be cancelled, then `close` follows."""

    async def close(self, reason: str) -> None:
        """Deliver what has ended, and leave.

        Args:
            reason: for callers that still wait: why the worker goes.
        """
