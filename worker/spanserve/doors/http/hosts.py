"""By which names a listener may be called: a web page whose own name was made to lead here must not read anything.

Without credentials a browser is let in by where it runs, and any page in it can have its own name resolve to our
address (DNS rebinding). The Host header shows it: browsers put the page's name there. Addresses need no list, because
they cannot be rebound; nor do listeners that ask for tokens, which other people's pages do not have.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from spanserve.doors.listener import Listener


class Hosts:
    """The names of one listener.

    Args:
        names: allowed besides localhost, addresses and the listener's own name.
    """

    def __init__(self, listener: Listener, names: Iterable[str] = ()) -> None:
        self._all = listener.tokens or listener.is_socket_file
        own = "" if listener.is_socket_file else listener.address.rpartition(":")[0]
        self._names = {_normal(name) for name in (own, *names)} - {""}

    def allow(self, header: str) -> bool:
        """Whether a request with this Host is for us; one without any comes from no browser."""
        if self._all or not header:
            return True
        name = _normal(_without_port(header))
        return name == "localhost" or name.endswith(".localhost") or _is_address(name) or name in self._names


def _without_port(header: str) -> str:
    if header.startswith("["):
        return header.partition("]")[0] + "]"
    return header.partition(":")[0]


def _normal(name: str) -> str:
    return name.strip().lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
