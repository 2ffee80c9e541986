"""Where the HTTP door listens, and by which names."""

from __future__ import annotations

from dataclasses import dataclass

from spanserve.doors.listener import Listener


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Settings of the HTTP door.

    Attributes:
        listen: empty: there is no such door.
        hosts: names by which browsers may call, besides those that are certain.
        drain_delay_s: from not ready to taking nothing more, for load balancers to notice.
    """

    listen: tuple[Listener, ...] = ()
    hosts: tuple[str, ...] = ()
    drain_delay_s: float = 5.0
