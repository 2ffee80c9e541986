"""Finds a subcommand by name and imports only its module; `ask` needs no builder."""

from __future__ import annotations

import difflib
import importlib
import json
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

import typer
from rich.text import Text

from spanserve.cli.completion import complete, is_asked
from spanserve.cli.paragraphs import fill
from spanserve.cli.tracing import traced
from spanserve.contract.errors import SpanserveError
from spanserve.contract.escape import escape
from spanserve.options.terminal import Rows, Terminal, complain


class Command(NamedTuple):
    """The module whose `app` a subcommand is, the extra that brings what it needs, and its line in the overview."""

    module: str
    extra: str
    line: str


COMMANDS = {
    "ask": Command("spanserve.client.commands.ask", "client", "Ask questions about a text."),
    "eval": Command("spanserve.client.commands.eval", "client", "Score a data set."),
    "predict": Command(
        "spanserve.client.commands.predict", "client", "Answer a data set that has no answers."
    ),
    "score": Command("spanserve.client.commands.score", "client", "Score predictions from any program."),
    "compare": Command(
        "spanserve.client.commands.compare", "client", "Show what changed from one run to another."
    ),
    "merge": Command("spanserve.client.commands.merge", "client", "Merge the outputs of shards."),
    "queue": Command("spanserve.client.commands.queue", "client", "Manage a queue in Redis."),
    "worker": Command("spanserve.worker.commands", "worker", "Serve a bundle on one device."),
    "token": Command("spanserve.access.commands", "client", "Manage who may use workers."),
    "plan": Command(
        "spanserve.planner.commands", "worker", "Find how many cards it takes to answer questions in time."
    ),
    "up": Command("spanserve.fleet.commands", "worker", "Run a worker on every device of this host."),
    "doctor": Command("spanserve.doctor.commands", "worker", "Check whether this machine can serve."),
    "run": Command("spanserve.cli.run.command", "builder", "Build, serve and score, in one command."),
    "build": Command("spanserve.builder.commands.build", "builder", "Turn a checkpoint into a bundle."),
    "bench": Command(
        "spanserve.cli.bench", "cpu", "Measure a bare device, or what workers serve (`bench serve`)."
    ),
    "join": Command(
        "spanserve.bundle.join",
        "worker",
        "Join bundles of one checkpoint, for several kinds of cards.",
    ),
    "inspect": Command("spanserve.bundle.commands", "worker", "Check a bundle and show what is in it."),
}


class UsageError(SpanserveError):
    """Options or arguments that a subcommand does not take."""


#: Exit status for an internal fault, as Python has it, and characters of the traceback that are shown.
EXIT_FAULT = 1
MAX_TRACEBACK = 32 * 1024
#: Exit status where the user was asked and did not say yes.
EXIT_REFUSED = 1
#: Exit status for a usage or input error.
EXIT_USAGE = 2


def run(arguments: list[str], ready: Callable[[], object] = lambda: None) -> None:
    """Run a subcommand to its end, which is that of the process.

    Our own errors end with one line, for people or (with --json) for programs; internal faults with a traceback.

    Args:
        ready: called when all is imported that the subcommand needs.
    """
    if is_asked(arguments):
        complete(arguments, {name: command.line for name, command in COMMANDS.items()}, _load)
    if arguments[:1] == ["help"] and len(arguments) > 1:
        arguments = [*arguments[1:], "--help"]
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help", "help"):
        _overview()
        return
    if name in ("-V", "--version"):
        Terminal().print(f"spanserve {version('spanserve')}")
        return
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        _fail(
            SpanserveError(f"no command {name!r}" + (f", did you mean {near[0]!r}?" if near else "")),
            arguments,
        )
    try:
        try:
            app = _load(name)
            ready()
            with traced(name):
                _run(app, name, arguments[1:])
        except ModuleNotFoundError as error:  # commands import what --help can do without when they need it
            raise _missing(name, error) from None
    except SpanserveError as error:
        _fail(error, arguments)
    except Exception:
        sys.stderr.write(escape(traceback.format_exc(), MAX_TRACEBACK, lines=True))
        sys.exit(EXIT_FAULT)


def _load(name: str) -> typer.Typer:
    app: typer.Typer = importlib.import_module(COMMANDS[name].module).app
    return fill(app)


def _missing(name: str, error: ModuleNotFoundError) -> SpanserveError:
    """A package that an extra would have brought.

    Raises:
        ModuleNotFoundError: it is one of this project's.
    """
    if (error.name or "").startswith("spanserve"):
        raise error
    extra = COMMANDS[name].extra
    return SpanserveError(
        f"`spanserve {name}` needs the package {error.name}: pip install 'spanserve[{extra}]'"
    )


def _run(app: typer.Typer, name: str, arguments: list[str]) -> None:
    """Run a subcommand to its end, which is that of the process."""
    for_programs = "--json" in arguments  # Typer reports a wrong option in a box, for people
    try:
        status = app(args=arguments, prog_name=f"spanserve {name}", standalone_mode=not for_programs)
    except typer.TyperException as error:
        raise UsageError(error.format_message()) from None
    except typer.Abort:  # said no, or no one could be asked; the question is on standard error
        sys.exit(EXIT_REFUSED)
    sys.exit(status or 0)


def _fail(error: SpanserveError, arguments: list[str]) -> None:
    if "--json" in arguments:
        sys.stderr.write(json.dumps({"error": type(error).__name__, "message": str(error)}) + "\n")
    else:
        complain(f"spanserve: {error}")
    sys.exit(EXIT_USAGE)


def _overview() -> None:
    table = Rows()
    for name, command in COMMANDS.items():
        table.add_row(Text(f"  {name}", style="bold"), command.line)
    terminal = Terminal()
    terminal.print("Extractive question answering, served in batches.\n")
    terminal.print("Usage: spanserve COMMAND [OPTIONS]; `spanserve COMMAND --help` shows examples.\n")
    terminal.print(table)
    terminal.print("\n`spanserve --install-completion` teaches your shell to complete commands and options.")
    terminal.print("Without an address, eval and ask start a private worker on the built-in model.")
