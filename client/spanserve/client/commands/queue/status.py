"""`spanserve queue status`."""

from __future__ import annotations

import itertools
import time
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.filesize import decimal

from spanserve.client.commands.queue.access import EXIT_NOT_ALL, QueueAccess, command
from spanserve.client.duration import duration
from spanserve.options.terminal import Rows, complain
from spanserve.queue import Overview, QueueUnavailable, WorkerSeen, overview

Watch = Annotated[
    float | None,
    typer.Option(
        "--watch", "-w", min=0.1, max=86_400, help="Show it again every so many seconds, until interrupted."
    ),
]


@command(
    "status",
    """Examples:
  spanserve queue status --redis redis://queue.internal:6379
  SPANSERVE_REDIS=redis://localhost spanserve queue status --queue squad --json
  spanserve queue status --redis redis://localhost --watch 2
\b
Exit status: 0 fine, 1 tasks are waiting and no worker is alive, 2 no such queue or no Redis.""",
)
def status(*, access: QueueAccess, watch: Watch = None) -> None:
    """Show the state of a queue: backlog, workers and their rates, dead letters, limits, memory."""
    if watch is None:
        found = access.visit(overview)
        _show(access, found)
        alive = [worker for worker in found.workers if worker.live]
        if not alive and found.waiting + found.leased:
            raise typer.Exit(EXIT_NOT_ALL)
        return
    for number in itertools.count():
        try:
            found = access.visit(overview)
        except QueueUnavailable as error:
            if not number:
                raise
            complain(f"spanserve: {error}")
        else:
            access.clear()
            _show(access, found)
        time.sleep(watch)


def _show(access: QueueAccess, found: Overview) -> None:
    title = f"queue {access.keys.name} at {access.settings.safe_url}\n"
    access.show(_to_json(access, found), title, _depths(found), "", _facts(found), "", _workers(found))


def rate_of(found: Overview) -> float:
    """Questions a second that the live workers answer together."""
    return sum(worker.status.questions_per_s for worker in found.workers if worker.live)


def seconds_of_work(found: Overview) -> float | None:
    """How long the live workers will be busy with what is there; None while their rate is not known."""
    if not found.questions:
        return 0.0
    rate = rate_of(found)
    return found.questions / rate if rate else None


def _to_json(access: QueueAccess, found: Overview) -> dict[str, Any]:
    return {
        "queue": access.keys.name,
        "redis": access.settings.safe_url,
        "waiting": found.waiting,
        "leased": found.leased,
        "classes": [asdict(depth) for depth in found.depths],
        "questions": found.questions,
        "bytes": found.bytes,
        "questions_per_second": rate_of(found),
        "seconds_of_work": seconds_of_work(found),
        "dead": found.dead,
        "dead_bytes": found.dead_bytes,
        "dead_dropped": found.dead_dropped,
        "troubles": _troubles(found),
        "limits": asdict(found.config),
        "used_memory": found.used_memory,
        "max_memory": found.max_memory,
        "workers": [_worker(worker) for worker in found.workers],
    }


def _worker(worker: WorkerSeen) -> dict[str, Any]:
    """What a worker said, under the names that it used; a number is a number, and 0 where it cannot be read."""
    status = worker.status
    known = asdict(status)
    read = {name: known[name] for name in worker.facts if type(known.get(name)) in (int, float)}
    if "is_simulated" in worker.facts:
        read["is_simulated"] = status.simulated
    if worker.facts.get("seen", "").isdecimal():
        read["seen"] = int(worker.facts["seen"])
    return {**worker.facts, **read, "consumer": worker.consumer, "live": worker.live, "age_ms": worker.age_ms}


def _depths(found: Overview) -> Rows:
    rows = Rows("class", "waiting ", "leased ", "oldest waiting ")
    for depth in found.depths:
        oldest = "-" if depth.oldest_ms is None else duration(depth.oldest_ms / 1000)
        rows.add_row(depth.name, f"{depth.waiting:,}", f"{depth.leased:,}", oldest)
    return rows


def _facts(found: Overview) -> Rows:
    config = found.config
    work = seconds_of_work(found)
    rate = f"{rate_of(found):.1f} questions/s"
    speed = f"{duration(work)} of work at {rate}" if work is not None else "no worker has a rate yet"
    tenant = f"{config.max_tenant_tasks:,} tasks a tenant" if config.max_tenant_tasks else "no tenant quota"
    rows = Rows()
    tasks = found.waiting + found.leased
    rows.add_row(
        "backlog", f"{tasks:,} tasks, {found.questions:,} questions, {decimal(found.bytes)}: {speed}"
    )
    dropped = f"; {found.dead_dropped:,} older ones were dropped" if found.dead_dropped else ""
    rows.add_row("dead letters", f"{found.dead:,}, {decimal(found.dead_bytes)}{dropped}")
    rows.add_row("limits", f"{config.max_tasks:,} tasks, {decimal(config.max_bytes)}, {tenant}")
    rows.add_row(
        "times", f"lease {duration(config.lease_s)}, results kept {duration(config.result_ttl_ms / 1000)}"
    )
    if found.used_memory is not None:
        limit = f"of {decimal(found.max_memory)}" if found.max_memory else "used, no limit"
        rows.add_row("memory", f"{decimal(found.used_memory)} {limit}")
    for trouble in _troubles(found):
        rows.add_row("trouble", trouble)
    return rows


def _troubles(found: Overview) -> list[str]:
    """What is wrong with the queue, as Redis shows it and as its workers say."""
    foreign = [
        f"{count:,} {depth.name} tasks in version {version} wait for a worker that knows it"
        for depth in found.depths
        for version, count in sorted(depth.foreign.items())
    ]
    told = {
        f"{worker.status.worker}: {worker.facts['trouble']}"
        for worker in found.workers
        if worker.live and worker.facts.get("trouble")
    }
    return [*found.troubles, *foreign, *sorted(told)]


def _workers(found: Overview) -> Rows | str:
    rows = Rows("worker", "device", "model", "state", "held ", "questions/s ", "answered ", "seen ")
    for worker in found.workers:
        if worker.live:
            rows.add_row(*_row(worker))
    gone = sum(not worker.live for worker in found.workers)
    rows.caption = f"{gone} more were seen within a day" if gone else None
    return rows if rows.row_count else f"no worker is alive; {gone} were seen within a day"


def _row(worker: WorkerSeen) -> tuple[str, ...]:
    status = worker.status
    return (
        status.worker,
        status.device,
        status.model,
        worker.facts.get("state", ""),  # a newer worker may have a word of its own
        f"{status.held_tasks:,}",
        f"{status.questions_per_s:,.1f}",
        f"{status.ended_questions:,}",
        f"{duration(worker.age_ms / 1000)} ago",
    )
