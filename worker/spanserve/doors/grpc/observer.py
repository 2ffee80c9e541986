"""What the gRPC door reports."""

from __future__ import annotations


class StreamObserver:
    """What happens to calls. Override what you want to know of."""

    def stream_opened(self) -> None:
        """A client has said Hello."""

    def stream_closed(self) -> None:
        """Its stream has ended."""

    def call_ended(self, cause: str) -> None:
        """The door has refused a call or ended a stream, for a client that breaks the rules or takes too much."""
