"""`spanserve queue pending` and `spanserve queue cancel`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer
from redis.asyncio import Redis

from spanserve.client.commands.queue.access import EXIT_NOT_ALL, QueueAccess, command, pieces
from spanserve.client.duration import duration
from spanserve.client.errors import ClientError
from spanserve.options.terminal import Rows
from spanserve.queue import JobId, Keys, Producer, live_jobs, pending


@command(
    "pending",
    """Examples:
  spanserve queue pending --redis redis://localhost
  spanserve queue pending --redis redis://localhost --limit 1000 --json
\b
Exit status: 0 shown, 2 no such queue or no Redis.""",
)
def show_pending(
    *,
    limit: Annotated[int, typer.Option(help="Number of entries to show of each class.", min=1)] = 50,
    access: QueueAccess,
) -> None:
    """Show the tasks that workers hold, the oldest first, and how often each was handed out."""
    found = access.visit(lambda redis, keys: pending(redis, keys, limit))
    rows = Rows("entry", "class", "task", "worker", "lease renewed ", "deliveries ")
    for held in found:
        renewed = f"{duration(held.idle_ms / 1000)} ago"
        task = "deleted meanwhile" if held.job is None else str(held.job)
        rows.add_row(held.entry, held.name, task, held.consumer, renewed, str(held.deliveries))
    content = [asdict(held) | {"job": held.job and str(held.job)} for held in found]
    access.show(content, rows if found else "no worker holds a task")


@command(
    "cancel",
    """Examples:
  spanserve queue cancel --redis redis://localhost --run 3f9a71c2b0d4e586 p00012 p00013
  spanserve queue cancel --redis redis://localhost --run 3f9a71c2b0d4e586 --all
\b
Exit status: 0 done, 1 the queue does not know some of them, 2 no such queue or no Redis.""",
)
def cancel(
    *,
    tasks: Annotated[list[str] | None, typer.Argument(help="Ids of tasks.", show_default=False)] = None,
    run: Annotated[str, typer.Option(help="The run they belong to, as in the ledger.")] = "",
    tenant: Annotated[str, typer.Option(help="The tenant they belong to.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All tasks of the run that have not ended.")] = False,
    access: QueueAccess,
) -> None:
    """Withdraw tasks. A task that waits ends at once; if a worker has it, the worker is told."""
    if bool(tasks) is every:
        raise ClientError("give the ids of tasks, or --all for those of the run")

    found: dict[str, str] = {}

    async def work(redis: Redis, keys: Keys) -> dict[str, str]:
        jobs = [JobId(tenant, run, task) for task in tasks or ()]
        if every:
            jobs = await live_jobs(redis, keys, tenant, run)
        jobs = [job for job in jobs if job.task_id not in found]
        for part in pieces(jobs, "withdrawing"):
            outcomes = await Producer(redis, keys).cancel(part, "operator")
            found.update({job.task_id: outcome for job, outcome in zip(part, outcomes, strict=True)})
        return found

    outcomes = access.visit(work)
    counts = Counter(outcomes.values())
    access.show(
        outcomes,
        f"{counts['cancelled']:,} withdrawn, {counts['flagged']:,} are with workers, which will be told, "
        f"{counts['ended']:,} had ended, {counts['unknown']:,} are not known",
    )
    if counts["unknown"]:
        raise typer.Exit(EXIT_NOT_ALL)
