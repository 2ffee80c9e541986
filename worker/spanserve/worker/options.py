"""Command line options of `spanserve worker`, by what they are about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from spanserve.access import Role, parse_roles
from spanserve.contract.errors import SettingsError
from spanserve.device.limits import MAX_BATCH, MAX_SLOTS
from spanserve.device.options import SdkOptions
from spanserve.doors.listener import AccessSettings
from spanserve.queue.options import RedisLogin

#: Instead of roles.
NOBODY = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """What is served, and on which device."""

    bundle: Annotated[
        Path | None,
        typer.Option(envvar="SPANSERVE_BUNDLE", help="Folder of the bundle. Default: the built-in model."),
    ] = None
    device: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_DEVICE",
            help="cpu, cpu?threads=N&streams=N, mlu:N, sim:mlu370-x8 or sim:fixed?latency_ms=N.",
        ),
    ] = "cpu"
    precision: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_PRECISION",
            help="Which variant of the bundle is served, such as int8. Default: the first that the device computes.",
        ),
    ] = ""
    memory: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_MEMORY",
            metavar="fast|small",
            help="Memory that a CPU may use: fast keeps what it prepares for every shape, small has one stream and few "
            "of them. Default: fast.",
        ),
    ] = ""
    sdk: SdkOptions

    @property
    def device_text(self) -> str:
        """The device with what was said of its memory."""
        if not self.memory:
            return self.device
        return f"{self.device}{'&' if '?' in self.device else '?'}memory={self.memory}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenOptions:
    """Where the worker listens."""

    listen: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SPANSERVE_LISTEN",
            help="HOST:PORT or unix:PATH, repeat for several (in the variable with blanks between them); with a "
            "scheme as HOST:PORT?tls&tokens: plain, tls, mtls, tokens, mode=0600. Default: 127.0.0.1:50051.",
        ),
    ] = None
    http: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SPANSERVE_HTTP",
            help="HOST:PORT or unix:PATH of the HTTP door: /v1/answer, a page, /metrics; repeat for several, with a "
            "scheme as above. Default: none.",
        ),
    ] = None
    http_host: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SPANSERVE_HTTP_HOST",
            metavar="NAME",
            help="Name by which browsers may call the HTTP door, in addition to localhost, addresses and its own "
            "name; repeat for several.",
        ),
    ] = None
    metrics: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_METRICS",
            help="HOST:PORT or unix:PATH of the pages /metrics, /livez and /readyz, with a scheme as above; "
            "none if empty.",
        ),
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How the device is kept busy."""

    max_batch_size: Annotated[
        int,
        typer.Option(
            envvar="SPANSERVE_MAX_BATCH_SIZE", help=f"Largest batch, up to {MAX_BATCH}; 0: the bundle's."
        ),
    ] = 0
    slots: Annotated[
        int,
        typer.Option(
            envvar="SPANSERVE_SLOTS",
            help=f"Batches that the device has at a time, up to {MAX_SLOTS}; 0: measured on mlu:N at the start, 2 "
            "elsewhere.",
        ),
    ] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainOptions:
    """How the worker stops."""

    drain_delay: Annotated[
        float, typer.Option(envvar="SPANSERVE_DRAIN_DELAY", min=0, help="Seconds from not ready to draining.")
    ] = 5.0
    drain_timeout: Annotated[
        float,
        typer.Option(
            envvar="SPANSERVE_DRAIN_TIMEOUT", min=0, help="Seconds that held tasks get when draining."
        ),
    ] = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessOptions:
    """Who may connect, and how."""

    tls_cert: Annotated[
        Path | None, typer.Option(envvar="SPANSERVE_TLS_CERT", help="Certificate chain, PEM.")
    ] = None
    tls_key: Annotated[Path | None, typer.Option(envvar="SPANSERVE_TLS_KEY", help="Private key, PEM.")] = None
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(envvar="SPANSERVE_TLS_CLIENT_CA", help="Only clients of this CA may connect."),
    ] = None
    insecure: Annotated[
        bool,
        typer.Option("--insecure", envvar="SPANSERVE_INSECURE", help="Allow plaintext beyond this machine."),
    ] = False
    tokens: Annotated[
        Path | None,
        typer.Option(envvar="SPANSERVE_TOKENS", help="Access list: the file that `spanserve token` writes."),
    ] = None
    anonymous: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_ANONYMOUS",
            help="What callers may do where no credential is asked for: ask, observe, ask,observe or none. "
            "Default: both.",
        ),
    ] = ""

    def settings(self) -> AccessSettings:
        """What the options say.

        Raises:
            SettingsError: the files do not go together, or a role is not one.
        """
        try:
            roles = parse_roles(self.anonymous) if self.anonymous not in ("", NOBODY) else frozenset()
        except ValueError as error:
            raise SettingsError(f"anonymous: {error}, or {NOBODY}") from None
        if Role.OPERATE in roles:
            raise SettingsError(
                f"anonymous is {self.anonymous}: operate needs a credential, or a socket file of mode 0600"
            )
        return AccessSettings(
            tls_cert=self.tls_cert,
            tls_key=self.tls_key,
            tls_client_ca=self.tls_client_ca,
            tokens=self.tokens,
            anonymous=roles if self.anonymous else None,
            insecure=self.insecure,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """The queues that tasks are taken from."""

    redis: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_REDIS", help="redis:// or rediss:// address to take tasks from as well."
        ),
    ] = ""
    queue: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SPANSERVE_QUEUE",
            help="Name of the queue there, repeat for several (in the variable with blanks between them); NAME=WEIGHT "
            "for a larger or smaller share than others. Default: default.",
        ),
    ] = None
    lease: Annotated[
        float,
        typer.Option(envvar="SPANSERVE_LEASE", help="Seconds a lease lasts, if this worker makes the queue."),
    ] = 30.0
    login: RedisLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionOptions:
    """What a supervisor passes to the workers that it starts."""

    exit_with_parent: Annotated[int | None, typer.Option("--exit-with-parent", hidden=True)] = None
    log_device: Annotated[str, typer.Option("--log-device", hidden=True)] = ""
    notify_socket: Annotated[str, typer.Option("--notify-socket", envvar="NOTIFY_SOCKET", hidden=True)] = ""
    watchdog_usec: Annotated[int, typer.Option("--watchdog-usec", envvar="WATCHDOG_USEC", hidden=True)] = 0
