"""Where the gRPC door listens, and how it speaks."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from spanserve.contract.errors import SettingsError

#: Largest number of a port.
MAX_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcSettings:
    """Settings of the gRPC door.

    Raises:
        SettingsError: no address, half of a pair of files, or plaintext offered beyond this machine.
    """

    #: HOST:PORT (port 0: any), or unix:PATH.
    listen: str = "127.0.0.1:50051"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    #: Allow plaintext on an address that other machines reach.
    insecure: bool = False
    reflection: bool = False
    #: Seconds between not ready and Draining, for load balancers to notice.
    drain_delay_s: float = 5.0

    def __post_init__(self) -> None:
        check_address("listen", self.listen)
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingsError("tls_cert and tls_key go together")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise SettingsError("tls_client_ca needs tls_cert and tls_key")
        self.check_plaintext("listen", self.listen)

    def check_plaintext(self, name: str, address: str) -> None:
        """Check that what is offered on an address may be offered there.

        Args:
            name: of the setting that holds the address.

        Raises:
            SettingsError: it would be plaintext beyond this machine.
        """
        if self.tls_cert is None and not self.insecure and not is_local(address):
            raise SettingsError(
                f"{name} is {address}: other machines reach it, and it would speak plaintext; "
                "give --tls-cert and --tls-key, or --insecure if the network itself is private"
            )


def check_address(name: str, address: str) -> None:
    """See that an address is one: gRPC would take a port modulo 65536.

    Raises:
        SettingsError: neither HOST:PORT nor unix:PATH.
    """
    host, _, port = address.rpartition(":")
    socket_file = address.startswith("unix:") and address != "unix:"
    if not socket_file and not (host and port.isdecimal() and int(port) <= MAX_PORT):
        raise SettingsError(
            f"{name} is {address!r}: use HOST:PORT, the port at most {MAX_PORT}, or unix:PATH"
        )


def is_local(address: str) -> bool:
    """Whether only this machine reaches an address."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
