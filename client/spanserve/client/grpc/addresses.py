"""The workers at the addresses that a user gives: a name with several records stands for several workers.

`HOST:PORT` (or `dns:HOST:PORT`) is looked up regularly, so that workers can join and leave a run with the records
of the name, as for a headless service of Kubernetes. IP addresses and socket files stand for themselves.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from spanserve.client.errors import AddressError

#: Seconds after which a name is looked up again.
REFRESH_S = 30.0

#: Host name -> its IP addresses; none where it is not known.
Lookup = Callable[[str], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One worker.

    Attributes:
        address: HOST:PORT or unix:PATH.
        server_name: what its certificate names, where the address is not that.
        label: a name for people, where that says more than the address.
    """

    address: str
    server_name: str = ""
    label: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.label or self.address


async def look_up(host: str) -> list[str]:
    """IP addresses of a host: those of version 4 where it has some, so that a worker on both counts once."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter where it is not a host name at all
        return []
    families = {family for family, *_ in found}
    family = socket.AF_INET if socket.AF_INET in families else socket.AF_INET6
    return sorted({str(address[0]) for found_family, _, _, _, address in found if found_family == family})


class AddressBook:
    """Addresses as given, and the workers at them.

    Args:
        addresses: HOST:PORT, dns:HOST:PORT or unix:PATH.
        lookup: asks for the records of a name.
        clock: seconds, monotonic.

    Raises:
        AddressError: one is not an address.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        lookup: Lookup = look_up,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = {address: _name(address) for address in dict.fromkeys(addresses)}
        self._found: dict[str, tuple[Endpoint, ...]] = {}
        self._lookup = lookup
        self._clock = clock
        self._next: float | None = None
        self._looking = asyncio.Lock()

    @property
    def fixed(self) -> tuple[Endpoint, ...]:
        """The workers that no look-up is needed for."""
        return tuple(Endpoint(address) for address, name in self._names.items() if name is None)

    async def endpoints(self) -> tuple[Endpoint, ...]:
        """All workers, in the order given.

        A name that cannot be looked up keeps the records it had. Before it has any it stands for itself, so that
        whoever tries to connect learns why it fails.
        """
        async with self._looking:
            if self._next is None or self._clock() >= self._next:
                for address, name in self._names.items():
                    if name is not None and (records := await self._lookup(name[0])):
                        self._found[address] = self._behind(*name, records)
                self._next = self._clock() + REFRESH_S
        known = [
            endpoint
            for address, name in self._names.items()
            for endpoint in (
                (Endpoint(address),)
                if name is None
                else self._found.get(address, (Endpoint(":".join(name)),))
            )
        ]
        return tuple(dict.fromkeys(known))

    def _behind(self, host: str, port: str, records: Sequence[str]) -> tuple[Endpoint, ...]:
        """An endpoint for each record that is not given as an address besides the name."""
        label = f"{host}:{port}" if len(records) == 1 else ""
        addresses = (f"[{record}]:{port}" if ":" in record else f"{record}:{port}" for record in records)
        return tuple(Endpoint(address, host, label) for address in addresses if address not in self._names)


def _name(address: str) -> tuple[str, str] | None:
    """Host name and port of an address, None where there is nothing to look up.

    Raises:
        AddressError: it is not an address.
    """
    address = str(address)  # whatever was given: the error names it
    if address.startswith("unix:") and address != "unix:":
        return None
    host, _, port = address.removeprefix("dns:").lstrip("/").rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    try:
        is_port = port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16
        if not is_port or not bare.encode("idna") or (":" in bare) != (host != bare):
            raise ValueError
        if ":" in bare:
            ipaddress.IPv6Address(bare)
    except ValueError:
        raise AddressError(
            f"worker address {address!r} is not HOST:PORT, [IPV6]:PORT or unix:PATH with a port from 1 to 65535"
        ) from None
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return host, port
    return None
