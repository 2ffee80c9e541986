"""The options of every command, as users have them in scripts, unit files and environments.

`options.txt` holds a line for each: the command, the spellings, the variable and the default. A change of a line
that is there breaks somebody's script; a new option is a new line.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from spanserve.cli.commands import COMMANDS

RECORD = Path(__file__).with_name("options.txt")


def lines(name: str, command: Any) -> Iterator[str]:
    """A line for each parameter, in the order of --help; of subcommands, those of each."""
    for word, subcommand in getattr(command, "commands", {}).items():
        yield from lines(f"{name} {word}", subcommand)
    for parameter in command.params:
        spellings = " ".join(parameter.opts + parameter.secondary_opts)
        hidden = " (hidden)" if getattr(parameter, "hidden", False) else ""
        default = parameter.default if parameter.required is False else "required"
        yield f"{name}: {spellings} | {parameter.envvar or ''} | {default!s}{hidden}"


def found() -> Iterator[str]:
    for name, command in COMMANDS.items():
        app = importlib.import_module(command.module).app
        yield from lines(name, typer.main.get_command(app))


def test_options() -> None:
    """Names, variables, defaults and order are those of the record."""
    assert RECORD.read_text("utf-8").splitlines() == list(found())
