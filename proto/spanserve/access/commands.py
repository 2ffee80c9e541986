"""`spanserve token`."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from spanserve.access.access_list import AccessList, edit
from spanserve.access.entry import (
    ANY,
    AccessError,
    Entry,
    expiry_text,
    parse_expiry,
    parse_tenants,
    parse_weight,
)
from spanserve.access.role import Role, parse_roles
from spanserve.access.token import digest_of, new_token
from spanserve.contract.escape import escape
from spanserve.contract.limits import ID_PATTERN
from spanserve.options import application, grouped
from spanserve.options.terminal import Rows, Terminal, complain

app = application(no_args_is_help=True, summary="Manage who may use workers: the tokens of --tokens FILE.")

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """The access list."""

    tokens: Annotated[
        Path, typer.Option(envvar="SPANSERVE_TOKENS", help="The access list, as workers read it.")
    ]
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")] = (
        False
    )


_NEW = """\b
Examples:
  (umask 077; spanserve token new nightly --tokens tokens > nightly.token)
  spanserve token new prometheus --tokens tokens --roles observe > prometheus.token
  spanserve token new alice --tokens tokens --san alice.example --tenants alice,shared
\b
The token is printed once, on standard output; the list keeps its SHA-256. Exit status: 0, or 2 with an error message.
"""


@app.command("new", epilog=_NEW)
@grouped
def new(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of the caller; unique in the list.")],
    *,
    roles: Annotated[str, typer.Option(help="ask, observe, operate, separated by commas.")] = "ask,observe",
    tenants: Annotated[
        str, typer.Option(help="Tenants it may name, the first for tasks that name none; * is any.")
    ] = "",
    weight: Annotated[str, typer.Option(help="Its share of a busy worker, relative to others.")] = "1",
    expires: Annotated[str, typer.Option(help="365d, a date or time in ISO 8601, or never.")] = "365d",
    san: Annotated[
        str, typer.Option(help="Let in by a client certificate with this name, instead of by a token.")
    ] = "",
    options: ListOptions,
) -> None:
    """Let a caller in: make a token and add a line to the list. By default its only tenant is its id."""
    if not re.fullmatch(ID_PATTERN, name):
        raise AccessError(f"id is {name!r}: it does not match {ID_PATTERN}")
    token = "" if san else new_token(name)
    try:
        entry = Entry(
            id=name,
            digest=digest_of(token) if token else b"",
            san=san,
            roles=parse_roles(roles),
            tenants=parse_tenants(tenants or name),
            weight=parse_weight(weight),
            expires=_expiry(expires, time.time()),
        )
        Entry.parse(str(entry))
    except ValueError as error:
        raise AccessError(str(error)) from None
    edit(options.tokens, lambda lines: _with(entry, lines))
    if options.json_output:
        sys.stdout.write(json.dumps({**_to_json(entry), "token": token or None}) + "\n")
    elif token:
        sys.stdout.write(escape(token) + "\n")
        complain("Keep it: it is not shown again.")


@app.command("list", epilog="\b\nExamples:\n  spanserve token list --tokens /etc/spanserve/tokens\n")
@grouped
def list_(*, options: ListOptions) -> None:
    """Show who is let in, and until when."""
    entries = _read(options.tokens).entries
    if options.json_output:
        sys.stdout.write(json.dumps([_to_json(entry) for entry in entries]) + "\n")
        return
    table = Rows("id", "known by", "roles", "tenants", "weight ", "expiry")
    now = time.time()
    for entry in entries:
        name, credential, roles, tenants, weight, expiry = str(entry).split(" ")
        known = credential if entry.san else "token"
        table.add_row(name, known, roles, tenants, weight, expiry + (" (over)" if entry.expired(now) else ""))
    Terminal().print(table)


@app.command(
    "revoke", epilog="\b\nExamples:\n  spanserve token revoke nightly --tokens /etc/spanserve/tokens\n"
)
@grouped
def revoke(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id whose line is removed.")],
    *,
    options: ListOptions,
) -> None:
    """Stop letting a caller in: workers end its open streams within 10 s."""

    def without(lines: list[str]) -> list[str]:
        kept = [line for line in lines if line.split()[:1] != [name]]
        if len(kept) == len(lines):
            raise AccessError(f"{name!r} is not in the list")
        return kept

    if not options.tokens.exists():
        raise AccessError(f"{options.tokens}: no such file")
    edit(options.tokens, without)
    if options.json_output:
        sys.stdout.write(json.dumps({"revoked": name}) + "\n")


def _with(entry: Entry, lines: list[str]) -> list[str]:
    """The lines of a list and one for a new caller.

    Raises:
        AccessError: its id or its certificate's name is in the list; says what to do.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        known = Entry.parse(line)
        same_name = bool(entry.san) and entry.san == known.san
        if same_name or entry.id == known.id:
            what, other = (f"san:{entry.san}", "name") if same_name else (entry.id, "id")
            advice = f"revoke it first (`spanserve token revoke {known.id}`), or choose another {other}"
            raise AccessError(f"line {number}: {what} exists already: {advice}")
    return [*lines, f"{entry}\n"]


def _read(path: Path) -> AccessList:
    try:
        return AccessList.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise AccessError(f"{path}: {reason}") from None
    except AccessError as error:
        raise AccessError(f"{path}: {error}") from None


def _expiry(text: str, now: float) -> float | None:
    days = re.fullmatch(r"(\d{1,5})d", text)
    return now + int(days[1]) * _DAY_S if days else parse_expiry(text)


def _to_json(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "san": entry.san or None,
        "roles": [role.value for role in Role if role in entry.roles],
        "tenants": list(entry.tenants) or [ANY],
        "weight": entry.weight,
        "expiry": None if entry.expires is None else expiry_text(entry.expires),
    }
