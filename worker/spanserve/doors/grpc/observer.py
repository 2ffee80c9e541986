"""What the gRPC door tells."""

from __future__ import annotations


class StreamObserver:
    """What happens to `Work` streams. Override what you want to know of."""

    def stream_opened(self) -> None:
        """A client has said Hello."""

    def stream_closed(self) -> None:
        """Its stream has ended."""
