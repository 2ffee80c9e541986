"""What a worker is doing."""

from __future__ import annotations

from spanserve.contract.state import State

__all__ = ["State"]
