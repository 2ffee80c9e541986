"""`spanserve queue dead`, `replay` and `purge`: the dead letters."""

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
from spanserve.queue import DeadLetter, Keys, Producer, purge_dead_letters, read_dead_letters

#: Dead letters read at a time.
_READ = 500

Entries = Annotated[
    list[str] | None, typer.Argument(help="Ids of entries, as `dead` shows them.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="All dead letters.")]


@command(
    "dead",
    """Examples:
  spanserve queue dead --redis redis://localhost
  spanserve queue dead --redis redis://localhost --json | jq -r '.[].job'
\b
Exit status: 0 shown, 2 no such queue or no Redis.""",
)
def dead(
    *,
    limit: Annotated[int, typer.Option(help="Number of letters to show, oldest first.", min=1)] = 50,
    access: QueueAccess,
) -> None:
    """Show the dead letters: tasks that killed what ran them, and entries that no worker could read."""
    found = access.visit(lambda redis, keys: read_dead_letters(redis, keys, limit))
    rows = Rows("entry", "task", "reason", "deliveries ", "worker", "model", "died ")
    for letter in found:
        task = "?" if letter.job is None else str(letter.job)
        died = f"{duration(letter.age_ms / 1000)} ago"
        cells = (str(letter.deliveries), letter.worker, letter.model[:12], died)
        rows.add_row(letter.entry, task, letter.reason, *cells)
    content = [asdict(letter) | {"job": letter.job and str(letter.job)} for letter in found]
    access.show(content, rows if found else "no dead letters")


@command(
    "replay",
    """Examples:
  spanserve queue replay --redis redis://localhost 1790000000000-0
  spanserve queue replay --redis redis://localhost --all
\b
Exit status: 0 all wait again, 1 some do not, 2 no such queue or no Redis.""",
)
def replay(*, entries: Entries = None, every: All = False, access: QueueAccess) -> None:
    """Queue dead letters again and forget their attempts. Do this once the cause of their death is fixed."""
    _check(entries, every)

    found = dict.fromkeys(entries or (), "gone")

    async def work(redis: Redis, keys: Keys) -> dict[str, str]:
        producer = Producer(redis, keys)
        chosen = [letter for letter in await _all(redis, keys) if every or letter.entry in found]
        for part in pieces(chosen, "replaying"):
            for letter in part:
                if letter.job is None:
                    found[letter.entry] = "names no task"
                else:
                    found[letter.entry] = await producer.replay(letter.entry, letter.job)
        return found

    outcomes = access.visit(work)
    counts = Counter(outcomes.values())
    others = "".join(f", {count:,} {outcome}" for outcome, count in counts.items() if outcome != "queued")
    access.show(outcomes, f"{counts['queued']:,} wait again{others}")
    if counts["queued"] < len(outcomes):
        raise typer.Exit(EXIT_NOT_ALL)


@command(
    "purge",
    """Examples:
  spanserve queue purge --redis redis://localhost 1790000000000-0
  spanserve queue purge --redis redis://localhost --all --yes
\b
Exit status: 0 deleted, 1 some were not there, or you said no, 2 no such queue or no Redis.""",
)
def purge(
    *,
    entries: Entries = None,
    every: All = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    access: QueueAccess,
) -> None:
    """Delete dead letters for good. Their results, which say why they died, stay as long as any result."""
    _check(entries, every)
    if not yes:
        what = "all dead letters" if every else f"{len(entries or ()):,} dead letters"
        typer.confirm(f"Delete {what} of queue {access.keys.name}?", abort=True, err=True)

    deleted = 0

    async def work(redis: Redis, keys: Keys) -> int:
        nonlocal deleted
        names = [letter.entry for letter in await _all(redis, keys)] if every else list(entries or ())
        for part in pieces(names, "deleting"):
            deleted += await purge_dead_letters(redis, keys, part)
        return len(names)

    asked = max(deleted, access.visit(work))
    access.show({"asked": asked, "deleted": deleted}, f"{deleted:,} of {asked:,} deleted")
    if deleted < asked:
        raise typer.Exit(EXIT_NOT_ALL)


async def _all(redis: Redis, keys: Keys) -> list[DeadLetter]:
    found = await read_dead_letters(redis, keys, _READ)
    part = found
    while len(part) == _READ:
        part = await read_dead_letters(redis, keys, _READ, after=part[-1].entry)
        found = found + part
    return found


def _check(entries: list[str] | None, every: bool) -> None:
    if bool(entries) is every:
        raise ClientError("give entries, as `spanserve queue dead` shows them, or --all")
