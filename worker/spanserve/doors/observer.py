"""What doors tell beside what the engine tells."""

from __future__ import annotations

from spanserve.contract import ErrorCode


class DoorObserver:
    """What happens at every door. Override what you want to know of."""

    def item_refused(self, code: ErrorCode) -> None:
        """Something was refused before it became work."""
