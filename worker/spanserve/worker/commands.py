"""`spanserve worker`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spanserve import demo
from spanserve.device.cpus import parse_cpus
from spanserve.device.options import DeviceEnv, MagicMindPython
from spanserve.doors.grpc.settings import GrpcSettings
from spanserve.doors.redis.settings import QueueSettings
from spanserve.queue import QueueConfig
from spanserve.queue.options import (
    RedisCa,
    RedisCert,
    RedisKey,
    RedisPasswordFile,
    RedisUsername,
    redis_of,
)
from spanserve.worker.logs import configure_logs
from spanserve.worker.run import run_worker
from spanserve.worker.settings import Settings

app = typer.Typer(add_completion=False)

_EXAMPLES = """\b
Examples:
  spanserve worker --bundle ./bert.bundle
  spanserve worker --bundle ./bert.bundle --listen 0.0.0.0:50051 --tls-cert w.crt --tls-key w.key
  spanserve worker --device 'sim:fixed?latency_ms=20' --metrics 127.0.0.1:9100
  spanserve worker --bundle ./bert.bundle --redis redis://queue.internal:6379 --queue squad
  spanserve worker --bundle ./bert-mlu.bundle --device mlu:0 --magicmind-python /usr/bin/python3.7
\b
Exit status: 0 drained, 1 told twice or not finished in time, 2 bad settings or bundle, 70 device failed.
"""


@app.command("worker", epilog=_EXAMPLES)
def worker(
    bundle: Annotated[
        Path | None,
        typer.Option(envvar="SPANSERVE_BUNDLE", help="Folder of the bundle. Default: the built-in model."),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_DEVICE",
            help="cpu, cpu?threads=N, mlu:N, sim:mlu370-x8 or sim:fixed?latency_ms=N.",
        ),
    ] = "cpu",
    magicmind_python: MagicMindPython = None,
    device_env: DeviceEnv = None,
    listen: Annotated[
        str, typer.Option(envvar="SPANSERVE_LISTEN", help="HOST:PORT or unix:PATH.")
    ] = "127.0.0.1:50051",
    metrics: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_METRICS",
            help="HOST:PORT or unix:PATH of the Prometheus endpoint; none if empty.",
        ),
    ] = "",
    max_batch_size: Annotated[
        int, typer.Option(envvar="SPANSERVE_MAX_BATCH_SIZE", help="Largest batch; 0: the bundle's.")
    ] = 0,
    slots: Annotated[
        int,
        typer.Option(
            envvar="SPANSERVE_SLOTS",
            help="Batches with the device at a time; 0: measured on mlu:N at the start, 2 elsewhere.",
        ),
    ] = 0,
    drain_delay: Annotated[
        float, typer.Option(envvar="SPANSERVE_DRAIN_DELAY", min=0, help="Seconds from not ready to draining.")
    ] = 5.0,
    drain_timeout: Annotated[
        float,
        typer.Option(envvar="SPANSERVE_DRAIN_TIMEOUT", min=0, help="Seconds held tasks get when draining."),
    ] = 20.0,
    name: Annotated[str, typer.Option(envvar="SPANSERVE_NAME", help="Name in results and logs.")] = "",
    tls_cert: Annotated[
        Path | None, typer.Option(envvar="SPANSERVE_TLS_CERT", help="Certificate chain, PEM.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(envvar="SPANSERVE_TLS_KEY", help="Private key, PEM.")
    ] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(envvar="SPANSERVE_TLS_CLIENT_CA", help="Only clients of this CA may connect."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", envvar="SPANSERVE_INSECURE", help="Plaintext beyond this machine.")
    ] = False,
    reflection: Annotated[
        bool, typer.Option("--reflection", envvar="SPANSERVE_REFLECTION", help="Offer gRPC reflection.")
    ] = False,
    redis: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_REDIS", help="redis:// or rediss:// address to take tasks from as well."
        ),
    ] = "",
    queue: Annotated[
        str, typer.Option(envvar="SPANSERVE_QUEUE", help="Name of the queue there.")
    ] = "default",
    lease: Annotated[
        float,
        typer.Option(envvar="SPANSERVE_LEASE", help="Seconds a lease lasts, if this worker makes the queue."),
    ] = 30.0,
    redis_username: RedisUsername = "",
    redis_password_file: RedisPasswordFile = None,
    redis_ca: RedisCa = None,
    redis_cert: RedisCert = None,
    redis_key: RedisKey = None,
    cpus: Annotated[
        str,
        typer.Option(envvar="SPANSERVE_CPUS", help="Processors to run on, as 0-3,8; default: those allowed."),
    ] = "",
    log_level: Annotated[
        str, typer.Option(envvar="SPANSERVE_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
    json_output: Annotated[
        bool, typer.Option("--json", help="Errors as JSON; logs are JSON anyway.")
    ] = False,
    exit_with_parent: Annotated[int | None, typer.Option("--exit-with-parent", hidden=True)] = None,
    log_device: Annotated[str, typer.Option("--log-device", hidden=True)] = "",
    notify_socket: Annotated[str, typer.Option("--notify-socket", envvar="NOTIFY_SOCKET", hidden=True)] = "",
    watchdog_usec: Annotated[int, typer.Option("--watchdog-usec", envvar="WATCHDOG_USEC", hidden=True)] = 0,
) -> None:
    """Serve a bundle on one device until told to stop.

    The worker is ready once the device has given the golden answers; gRPC health says so. SIGTERM drains:
    tasks that are held are finished, new ones are refused. A second SIGTERM cuts that short.
    """
    configure_logs(log_level, log_device)
    settings = Settings(
        bundle=bundle or demo.BUNDLE,
        device=device,
        magicmind_python=magicmind_python,
        device_env=device_env,
        grpc=GrpcSettings(
            listen=listen,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_client_ca=tls_client_ca,
            insecure=insecure,
            reflection=reflection,
            drain_delay_s=drain_delay,
        ),
        queue=QueueSettings(
            redis=redis_of(redis, redis_username, redis_password_file, redis_ca, redis_cert, redis_key),
            queue=queue,
            config=QueueConfig(lease_ms=round(lease * 1000)),
        )
        if redis
        else None,
        metrics_listen=metrics or None,
        max_batch_size=max_batch_size or None,
        slots=slots,
        drain_timeout_s=drain_timeout,
        name=name,
        exit_with_parent=exit_with_parent,
        cpus=parse_cpus(cpus),
        notify_socket=notify_socket,
        watchdog_usec=watchdog_usec,
    )
    sys.exit(run_worker(settings))
