"""What a worker is doing."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """Life of a worker."""

    STARTING = "starting"
    READY = "ready"
    #: The device host is being restarted; tasks wait.
    RECOVERING = "recovering"
    DRAINING = "draining"
    FAILED = "failed"
