"""Command line options of `spanserve worker`, by what they are about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from spanserve.device.options import SdkOptions
from spanserve.queue.options import RedisLogin


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
            help="cpu, cpu?threads=N, mlu:N, sim:mlu370-x8 or sim:fixed?latency_ms=N.",
        ),
    ] = "cpu"
    sdk: SdkOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenOptions:
    """Where the worker listens."""

    listen: Annotated[str, typer.Option(envvar="SPANSERVE_LISTEN", help="HOST:PORT or unix:PATH.")] = (
        "127.0.0.1:50051"
    )
    metrics: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_METRICS",
            help="HOST:PORT or unix:PATH of the Prometheus endpoint; none if empty.",
        ),
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How the device is kept busy."""

    max_batch_size: Annotated[
        int, typer.Option(envvar="SPANSERVE_MAX_BATCH_SIZE", help="Largest batch; 0: the bundle's.")
    ] = 0
    slots: Annotated[
        int,
        typer.Option(
            envvar="SPANSERVE_SLOTS",
            help="Batches with the device at a time; 0: measured on mlu:N at the start, 2 elsewhere.",
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
        typer.Option(envvar="SPANSERVE_DRAIN_TIMEOUT", min=0, help="Seconds held tasks get when draining."),
    ] = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
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
        bool, typer.Option("--insecure", envvar="SPANSERVE_INSECURE", help="Plaintext beyond this machine.")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """The queue that tasks are taken from as well."""

    redis: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_REDIS", help="redis:// or rediss:// address to take tasks from as well."
        ),
    ] = ""
    queue: Annotated[str, typer.Option(envvar="SPANSERVE_QUEUE", help="Name of the queue there.")] = "default"
    lease: Annotated[
        float,
        typer.Option(envvar="SPANSERVE_LEASE", help="Seconds a lease lasts, if this worker makes the queue."),
    ] = 30.0
    login: RedisLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionOptions:
    """What a supervisor tells the workers that it starts."""

    exit_with_parent: Annotated[int | None, typer.Option("--exit-with-parent", hidden=True)] = None
    log_device: Annotated[str, typer.Option("--log-device", hidden=True)] = ""
    notify_socket: Annotated[str, typer.Option("--notify-socket", envvar="NOTIFY_SOCKET", hidden=True)] = ""
    watchdog_usec: Annotated[int, typer.Option("--watchdog-usec", envvar="WATCHDOG_USEC", hidden=True)] = 0
