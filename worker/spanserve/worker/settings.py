"""Settings of a worker: one frozen value, filled once by the command line (which reads SPANSERVE_*)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from spanserve.contract.errors import SettingsError
from spanserve.device.limits import MAX_BATCH, MAX_SLOTS
from spanserve.doors.grpc.settings import GrpcSettings
from spanserve.doors.http.settings import HttpSettings
from spanserve.doors.listener import AccessSettings, Listener
from spanserve.doors.redis.settings import QueueSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one worker process runs.

    Raises:
        SettingsError: a value out of its range.
    """

    bundle: Path
    device: str = "cpu"
    #: Of the variant that is served; None: the first that the device computes.
    precision: str | None = None
    #: Python of the MagicMind SDK, which runs the device host of `mlu:N`.
    magicmind_python: str | None = None
    #: File of KEY=VALUE lines for the environment of the device host alone.
    device_env: Path | None = None
    #: The program that reports a card's state; empty: none is asked.
    cnmon: str = "cnmon"
    grpc: GrpcSettings = field(default_factory=GrpcSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    #: Who is let in, on every listener.
    access: AccessSettings = field(default_factory=AccessSettings)
    #: Queues to take tasks from as well, all of different names; none for gRPC alone.
    queues: tuple[QueueSettings, ...] = ()
    #: Where the pages for Prometheus and probes are; None for none.
    metrics_listen: Listener | None = None
    #: Largest batch; None for the bundle's.
    max_batch_size: int | None = None
    #: Batches with the device at a time; 0: measured on a card, else 2.
    slots: int = 0
    #: Seconds that held tasks get to finish when draining.
    drain_timeout_s: float = 20.0
    #: Where answers are listed that a device may have given wrong; None: the system's folder for temporary files.
    doubt_dir: Path | None = None
    name: str = ""
    #: Processors to run on; none: those that this process is allowed.
    cpus: frozenset[int] = frozenset()
    #: Where the worker reports its state, and the longest silence allowed: see `Notifier`.
    notify_socket: str = ""
    watchdog_usec: int = 0
    #: End when this process, which started the worker, ends. None: do not.
    exit_with_parent: int | None = None

    def __post_init__(self) -> None:
        names = [queue.queue for queue in self.queues]
        for name in names:
            if names.count(name) > 1:
                raise SettingsError(f"queue {name} is named {names.count(name)} times")
        if self.doubt_dir is not None and not self.doubt_dir.is_dir():
            raise SettingsError(f"doubt_dir is {self.doubt_dir}: there is no such folder")
        if self.slots < 0:
            raise SettingsError(f"slots is {self.slots}: a device needs at least 1; 0 lets the worker decide")
        if self.slots > MAX_SLOTS:
            raise SettingsError(f"slots is {self.slots}: a device has at most {MAX_SLOTS}")
        if self.max_batch_size is not None and self.max_batch_size < 1:
            raise SettingsError(f"max_batch_size is {self.max_batch_size}: a batch holds at least 1 window")
        if self.max_batch_size is not None and self.max_batch_size > MAX_BATCH:
            raise SettingsError(
                f"max_batch_size is {self.max_batch_size}: a batch holds at most {MAX_BATCH} windows"
            )
