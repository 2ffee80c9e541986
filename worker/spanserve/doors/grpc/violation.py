"""What ends a call that does not keep to the rules."""

from __future__ import annotations

import grpc


class ProtocolViolation(Exception):
    """The client broke the rules, or there is no place for it: its call ends with this status.

    Args:
        cause: in one word, for metrics.
    """

    def __init__(self, status: grpc.StatusCode, message: str, *, cause: str = "protocol") -> None:
        super().__init__(message)
        self.status = status
        self.cause = cause
