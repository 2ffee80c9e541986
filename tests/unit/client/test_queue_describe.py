"""What workers say of themselves in a queue."""

from __future__ import annotations

from spanserve.client.queue.describe import STATES
from spanserve.doors.grpc.service import STATES as OVER_GRPC


def test_states() -> None:
    """A state means the same in a beat as over gRPC, and every state is known."""
    assert {state.value: number for state, number in OVER_GRPC.items()} == STATES
