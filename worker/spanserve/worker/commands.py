"""`spanserve worker`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spanserve import demo
from spanserve.device.cpus import parse_cpus
from spanserve.doors.grpc.settings import DEFAULT_ADDRESS, GrpcSettings
from spanserve.doors.http.settings import HttpSettings
from spanserve.doors.redis.settings import QueueSettings
from spanserve.options import application, grouped
from spanserve.queue import QueueConfig, milliseconds
from spanserve.worker.logs import configure_logs
from spanserve.worker.options import (
    AccessOptions,
    BatchOptions,
    DrainOptions,
    ListenOptions,
    ModelOptions,
    QueueOptions,
    SupervisionOptions,
)
from spanserve.worker.settings import Settings

app = application()

_EXAMPLES = """\b
Examples:
  spanserve worker --bundle ./bert.bundle
  spanserve worker --bundle ./bert.bundle --listen 0.0.0.0:50051 --tls-cert w.crt --tls-key w.key
  spanserve worker --bundle ./bert.bundle --listen 'unix:/run/w.sock?plain' --listen '0.0.0.0:50051?tls&tokens' \\
      --tls-cert w.crt --tls-key w.key --tokens ./tokens
  spanserve worker --device 'sim:fixed?latency_ms=20' --metrics 127.0.0.1:9100
  spanserve worker --bundle ./bert.bundle --redis redis://queue.internal:6379 --queue squad --queue urgent=4
  spanserve worker --bundle ./bert-mlu.bundle --device mlu:0 --magicmind-python /usr/bin/python3.7
\b
Exit status: 0 drained, 1 told to stop twice or not finished in time, 2 bad settings or bundle, 70 device failed.
"""


@app.command("worker", epilog=_EXAMPLES)
@grouped
def worker(
    *,
    model: ModelOptions,
    listening: ListenOptions,
    batches: BatchOptions,
    draining: DrainOptions,
    name: Annotated[str, typer.Option(envvar="SPANSERVE_NAME", help="Name in results and logs.")] = "",
    doubt_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="SPANSERVE_DOUBT_DIR",
            help="Folder for lists of answers that a device may have got wrong. Default: the temporary folder.",
        ),
    ] = None,
    access: AccessOptions,
    reflection: Annotated[
        bool, typer.Option("--reflection", envvar="SPANSERVE_REFLECTION", help="Offer gRPC reflection.")
    ] = False,
    queue: QueueOptions,
    cpus: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_CPUS", help="Processors to run on, such as 0-3,8. Default: those allowed."
        ),
    ] = "",
    log_level: Annotated[
        str, typer.Option(envvar="SPANSERVE_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
    json_output: Annotated[
        bool, typer.Option("--json", help="Errors as JSON; logs are JSON anyway.")
    ] = False,
    supervision: SupervisionOptions,
) -> None:
    """Serve a bundle on one device until told to stop.

    The worker is ready once the device has given the golden answers; gRPC health shows it. SIGTERM drains:
    tasks that it holds are finished, new ones are refused. A second SIGTERM cuts that short. SIGHUP drains as well,
    unless nohup makes the worker ignore it.
    """
    configure_logs(log_level, supervision.log_device)
    redis = queue.login.to(queue.redis)
    let_in = access.settings()
    settings = Settings(
        bundle=model.bundle or demo.BUNDLE,
        device=model.device_text,
        precision=model.precision or None,
        magicmind_python=model.sdk.magicmind_python,
        device_env=model.sdk.device_env,
        cnmon=model.sdk.cnmon,
        access=let_in,
        grpc=GrpcSettings(
            listen=tuple(let_in.listener("listen", text) for text in listening.listen or [DEFAULT_ADDRESS]),
            reflection=reflection,
            drain_delay_s=draining.drain_delay,
        ),
        http=HttpSettings(
            listen=tuple(let_in.listener("http", text) for text in listening.http or ()),
            hosts=tuple(listening.http_host or ()),
            drain_delay_s=draining.drain_delay,
        ),
        queues=()
        if redis is None
        else tuple(
            QueueSettings.parse(text, redis, QueueConfig(lease_ms=milliseconds("lease", queue.lease)))
            for text in queue.queue or ["default"]
        ),
        metrics_listen=let_in.listener("metrics", listening.metrics, plain=True)
        if listening.metrics
        else None,
        max_batch_size=batches.max_batch_size or None,
        slots=batches.slots,
        drain_timeout_s=draining.drain_timeout,
        doubt_dir=doubt_dir,
        name=name,
        exit_with_parent=supervision.exit_with_parent,
        cpus=parse_cpus(cpus),
        notify_socket=supervision.notify_socket,
        watchdog_usec=supervision.watchdog_usec,
    )
    from spanserve.worker.run import run_worker

    sys.exit(run_worker(settings))
