"""`spanserve queue configure`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from spanserve.client.commands.queue.access import QueueAccess, command
from spanserve.options.terminal import Rows
from spanserve.queue import configure as change
from spanserve.queue import milliseconds


@command(
    "configure",
    """Examples:
  spanserve queue configure --redis redis://localhost
  spanserve queue configure --redis redis://localhost --max-tasks 500000 --max-tenant-tasks 20000
\b
Exit status: 0 done, 2 a value that cannot be set, no such queue or no Redis.""",
)
def configure(
    *,
    lease: Annotated[
        float | None, typer.Option(help="Seconds for which a silent worker keeps a task.", show_default=False)
    ] = None,
    max_tasks: Annotated[
        int | None, typer.Option(help="Tasks at which the queue is full.", show_default=False)
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(help="Bytes of tasks at which the queue is full.", show_default=False)
    ] = None,
    max_tenant_tasks: Annotated[
        int | None, typer.Option(help="Tasks of one tenant; 0 for no quota.", show_default=False)
    ] = None,
    result_ttl: Annotated[
        float | None, typer.Option(help="Seconds for which results are kept.", show_default=False)
    ] = None,
    max_dead_tasks: Annotated[
        int | None,
        typer.Option(help="Dead letters kept; beyond that the oldest are dropped.", show_default=False),
    ] = None,
    max_dead_bytes: Annotated[
        int | None, typer.Option(help="Bytes of dead letters kept.", show_default=False)
    ] = None,
    access: QueueAccess,
) -> None:
    """Change settings of a queue, and show them all. Workers follow within seconds.

    A shorter lease can only be set while no worker is seen.
    """
    asked = {
        "lease_ms": None if lease is None else milliseconds("lease", lease),
        "max_tasks": max_tasks,
        "max_bytes": max_bytes,
        "max_tenant_tasks": max_tenant_tasks,
        "max_dead_tasks": max_dead_tasks,
        "max_dead_bytes": max_dead_bytes,
        "result_ttl_ms": None if result_ttl is None else milliseconds("result_ttl", result_ttl),
    }
    changes = {name: value for name, value in asked.items() if value is not None}
    config = access.visit(lambda redis, keys: change(redis, keys, **changes))
    rows = Rows("setting", "value ")
    for name, value in asdict(config).items():
        rows.add_row(name, f"{value:,}")
    access.show(asdict(config), rows)
