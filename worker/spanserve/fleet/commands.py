"""`spanserve up`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spanserve import demo
from spanserve.contract.errors import SettingsError
from spanserve.doors.grpc.settings import GrpcSettings
from spanserve.doors.http.settings import HttpSettings
from spanserve.fleet.placements import parse_placements
from spanserve.options.application import HABITS, application
from spanserve.queue import QueueConfig, milliseconds
from spanserve.worker.commands import app as worker_app
from spanserve.worker.logs import configure_logs
from spanserve.worker.options import AccessOptions
from spanserve.worker.settings import Settings

app = application()

#: Options of `spanserve worker` that are the supervisor's to give.
_OURS = ("device", "cpus", "name", "exit_with_parent", "log_device", "notify_socket", "watchdog_usec")

_EXAMPLES = """\b
Examples:
  spanserve up --bundle ./current --devices mlu:0-7 --listen 0.0.0.0:50051-50058 \\
      --magicmind-python /usr/bin/python3.7 --insecure --metrics 0.0.0.0:9100
  spanserve up --devices cpu
  spanserve up --devices 'sim:mlu370-x8*8' --redis redis://queue.internal:6379 --queue squad
  ln -sfn bert-2.bundle current && kill -HUP PID
\b
Exit status: 0 drained, 1 told to stop twice or not finished in time, 2 bad settings or bundle, 70 a device was given
up.
"""


@app.command(
    "up",
    epilog=_EXAMPLES,
    context_settings={**HABITS, "allow_extra_args": True, "ignore_unknown_options": True},
)
def up(
    context: typer.Context,
    devices: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_DEVICES", help="Devices, separated by commas: mlu:0-7, cpu, sim:mlu370-x8*8."
        ),
    ] = "cpu",
    bundle: Annotated[
        Path | None,
        typer.Option(
            envvar="SPANSERVE_BUNDLE",
            help="Folder of the bundle, or a symbolic link to it. Default: the built-in model.",
        ),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_LISTEN",
            help="HOST:FIRST-LAST, a port for each device, with a scheme as HOST:FIRST-LAST?tls&tokens.",
        ),
    ] = "127.0.0.1:50051",
    http: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_HTTP",
            help="HOST:FIRST-LAST of HTTP doors, a port for each device, with a scheme; none if empty.",
        ),
    ] = "",
    metrics: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_METRICS",
            help="HOST:PORT of /metrics, /livez, /readyz and /healthz, with a scheme; none if empty.",
        ),
    ] = "",
    health: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_HEALTH",
            help="HOST:PORT of the fleet's gRPC health, with a scheme; none if empty.",
        ),
    ] = "",
    crash_limit: Annotated[
        int,
        typer.Option(
            envvar="SPANSERVE_CRASH_LIMIT",
            help="Deaths within --crash-period after which a device is given up.",
            min=1,
        ),
    ] = 5,
    crash_period: Annotated[
        float, typer.Option(envvar="SPANSERVE_CRASH_PERIOD", help="Seconds within which deaths count.", min=0)
    ] = 600.0,
    watchdog: Annotated[
        float,
        typer.Option(
            envvar="SPANSERVE_WATCHDOG", help="Seconds of silence after which a worker is killed.", min=1
        ),
    ] = 30.0,
    ready_timeout: Annotated[
        float,
        typer.Option(
            envvar="SPANSERVE_READY_TIMEOUT", help="Seconds a worker on a new bundle gets to be ready.", min=1
        ),
    ] = 300.0,
) -> None:
    """Run a worker on every device of this host, and keep them running.

    Every option of `spanserve worker` may be given as well and goes to each worker. SIGTERM drains all workers; a
    second one cuts that short. SIGHUP reads --bundle again and restarts the workers one by one. The first must
    give the golden answers, or it goes back to the old bundle and the others keep theirs. SPANSERVE_DEVICE, _NAME
    and _CPUS are for a single worker and are ignored here.
    """
    given = _worker_options(context.args)
    arguments = _without_redis(context.args, given["redis"])
    access = AccessOptions(**{name: given[name] for name in AccessOptions.__slots__}).settings()
    placements = parse_placements(devices, listen, http)
    QueueConfig(lease_ms=milliseconds("lease", given["lease"]))  # as the settings below
    worker = Settings(  # what no worker could use is refused before one is started
        bundle=bundle or demo.BUNDLE,
        precision=given["precision"] or None,
        access=access,
        grpc=GrpcSettings(
            listen=(access.listener("listen", placements[0].listen),),
            drain_delay_s=given["drain_delay"],
        ),
        http=HttpSettings(
            listen=(access.listener("http", placements[0].http),) if http else (),
            hosts=tuple(given["http_host"] or ()),
        ),
        slots=given["slots"],
        max_batch_size=given["max_batch_size"] or None,
        device_env=given["device_env"],
        drain_timeout_s=given["drain_timeout"],
        doubt_dir=given["doubt_dir"],
        notify_socket=given["notify_socket"],
        watchdog_usec=given["watchdog_usec"],
    )
    for placement in placements:
        placement.spec.interpreter(given["magicmind_python"])
    from spanserve.fleet.run import FleetSettings, run_fleet

    fleet = FleetSettings(
        bundle=worker.bundle,
        placements=placements,
        arguments=arguments,
        worker=worker,
        pages=access.listener("metrics", metrics, plain=True) if metrics else None,
        health=access.listener("health", health) if health else None,
        deaths=crash_limit,
        period_s=crash_period,
        watchdog_s=watchdog,
        ready_timeout_s=ready_timeout,
    )
    configure_logs(given["log_level"])
    sys.exit(run_fleet(fleet))


def _without_redis(arguments: list[str], url: str) -> tuple[str, ...]:
    """What workers are told on their command lines; an address of Redis may hold a password, so they inherit it."""
    if not url:
        return tuple(arguments)
    os.environ["SPANSERVE_REDIS"] = url
    kept = [argument for argument in arguments if not argument.startswith("--redis=")]
    while "--redis" in kept:
        place = kept.index("--redis")
        del kept[place : place + 2]
    return tuple(kept)


def _worker_options(arguments: list[str]) -> dict[str, Any]:
    """What a worker makes of these arguments, and of the environment. What it cannot parse is a usage error.

    Raises:
        SettingsError: one of them is the supervisor's to give.
    """
    parsed = typer.main.get_command(worker_app).make_context("spanserve up", list(arguments))
    for name in _OURS:
        source = parsed.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise SettingsError(
                f"--{name.replace('_', '-')} is not for `spanserve up`, which gives each worker its own"
            )
    return parsed.params
