"""Connections as the kernel knows them: gRPC neither lists those of a server nor closes one."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterator, Set
from urllib.parse import quote

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def peers(host: str, port: int) -> set[str]:
    """The peers that are connected to an address of this process, as gRPC writes them."""
    return {peer for _, peer in _connections(host, port)}


def hang_up(host: str, port: int, gone: Set[str]) -> None:
    """End connections to an address of this process. Whoever reads from one sees its end."""
    for connection, peer in _connections(host, port):
        if peer in gone:
            with contextlib.suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)


def _connections(host: str, port: int) -> Iterator[tuple[socket.socket, str]]:
    """TCP connections whose own end is the address, with the peer at the other. A socket is open until the next one."""
    own = _one_address(host)
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            # A descriptor of our own: the number may be another file's by the time it is used.
            with socket.socket(fileno=os.dup(int(name))) as connection:
                if connection.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                at, local, *_ = connection.getsockname()
                if local == port and own in (None, _address(at)):
                    yield connection, _name(connection.getpeername())
        except OSError:
            continue  # closed meanwhile, or it listens


def _one_address(host: str) -> _Address | None:
    """The address that a listener of this name has; None if it may have several."""
    try:
        address = _address(host.strip("[]"))
    except ValueError:
        return None
    return None if address.is_unspecified else address


def _address(host: str) -> _Address:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _name(peer: tuple[str, int]) -> str:
    """A peer as gRPC writes it."""
    host, port = peer[:2]
    address = _address(host)
    if isinstance(address, ipaddress.IPv4Address):
        return f"ipv4:{address}:{port}"
    return f"ipv6:{quote(f'[{host}]', safe=':')}:{port}"
