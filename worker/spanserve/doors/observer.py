"""What doors report in addition to what the engine reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spanserve.contract import ErrorCode

#: Why a caller is not let in.
UNAUTHENTICATED, PERMISSION_DENIED, RATE_LIMITED = "unauthenticated", "permission_denied", "rate_limited"
TOO_MANY_CONNECTIONS = "too_many_connections"
DENIALS = (UNAUTHENTICATED, PERMISSION_DENIED, RATE_LIMITED, TOO_MANY_CONNECTIONS)


class DoorObserver:
    """What happens at every door. Override what you want to know of."""

    def item_refused(self, code: ErrorCode) -> None:
        """Something was refused before it became work."""


class AccessObserver:
    """Which callers are let in, and when that ends."""

    def credentials_seen(
        self, expiries: Sequence[tuple[str, str, float]], broken: Mapping[str, bool]
    ) -> None:
        """The files were checked.

        Args:
            expiries: kind (certificate, client_ca, token, name), name and Unix time in seconds, the nearest first.
            broken: kind of file -> whether what is there cannot be used, and the old one is in force.
        """

    def caller_denied(self, reason: str) -> None:
        """A caller was not let in, for one of `DENIALS`."""
