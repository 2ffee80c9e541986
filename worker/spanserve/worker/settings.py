"""Settings of a worker: one frozen value, filled once by the command line (which reads SPANSERVE_*)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from spanserve.contract.errors import SettingsError
from spanserve.queue import QueueConfig, RedisSettings

#: Largest number of a port.
MAX_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one worker process runs.

    Raises:
        SettingsError: a value out of its range, no address, or plaintext offered beyond this machine.
    """

    bundle: Path
    device: str = "cpu"
    #: Python of the MagicMind SDK, which runs the device host of `mlu:N`.
    magicmind_python: str | None = None
    #: File of KEY=VALUE lines for the environment of the device host alone.
    device_env: Path | None = None
    #: HOST:PORT (port 0: any), or unix:PATH.
    listen: str = "127.0.0.1:50051"
    #: HOST:PORT of the Prometheus endpoint; None for no endpoint.
    metrics_listen: str | None = None
    #: Largest batch; None for the bundle's.
    max_batch_size: int | None = None
    #: Batches with the device at a time; 0: measured on a card, else 2.
    slots: int = 0
    #: Seconds between not ready and Draining, for load balancers to notice.
    drain_delay_s: float = 5.0
    #: Seconds that held tasks get to finish when draining.
    drain_timeout_s: float = 20.0
    name: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    #: Allow plaintext on an address that other machines reach.
    insecure: bool = False
    reflection: bool = False
    #: Redis to take tasks from as well; None for gRPC alone.
    redis: RedisSettings | None = None
    queue: str = "default"
    #: Settings of the queue, should it not be there yet.
    queue_config: QueueConfig = field(default_factory=QueueConfig)
    #: Processors to run on; none: those that this process is allowed.
    cpus: frozenset[int] = frozenset()
    #: Who is told what the worker does, and the silence that worries it: see `Notifier`.
    notify_socket: str = ""
    watchdog_usec: int = 0
    #: End when this process, which started the worker, ends. None: do not.
    exit_with_parent: int | None = None

    def __post_init__(self) -> None:
        if self.slots < 0:
            raise SettingsError(f"slots is {self.slots}: a device needs at least 1, or 0 to have it decided")
        if self.max_batch_size is not None and self.max_batch_size < 1:
            raise SettingsError(f"max_batch_size is {self.max_batch_size}: a batch holds at least 1 window")
        check_address("listen", self.listen)
        if self.metrics_listen is not None:
            check_address("metrics", self.metrics_listen)
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
