"""Where the gRPC door listens, and how it speaks."""

from __future__ import annotations

from dataclasses import dataclass

from spanserve.contract.errors import SettingsError
from spanserve.doors.listener import Listener

DEFAULT_ADDRESS = "127.0.0.1:50051"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcSettings:
    """Settings of the gRPC door.

    Raises:
        SettingsError: it would listen nowhere, or twice at one address.
    """

    listen: tuple[Listener, ...] = (Listener(address=DEFAULT_ADDRESS),)
    reflection: bool = False
    #: Seconds between not ready and Draining, for load balancers to notice.
    drain_delay_s: float = 5.0

    def __post_init__(self) -> None:
        addresses = [listener.address for listener in self.listen]
        if not addresses:
            raise SettingsError("listen is empty: give at least one address")
        for address in addresses:
            if addresses.count(address) > 1 and not address.endswith(":0"):
                raise SettingsError(f"listen has {address} more than once")
