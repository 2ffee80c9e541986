"""What a worker is doing."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """Life of a worker. The values are the words in its heartbeat; `WorkerStatus` has those of v1."""

    STARTING = "starting"
    READY = "ready"
    #: The device host is being restarted; tasks wait.
    RECOVERING = "recovering"
    #: Said by workers of the previous release alone: too many tasks of their queue ended by a fault.
    SUSPECT = "suspect"
    DRAINING = "draining"
    FAILED = "failed"
