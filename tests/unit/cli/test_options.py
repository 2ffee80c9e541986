"""The options of every command, as users have them in scripts, unit files and environments.

`options.txt` holds a line for each: the command, the spellings, the variable and the default. A change of a line
that is there breaks somebody's script; a new option is a new line.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from spanserve.cli.commands import COMMANDS

RECORD = Path(__file__).with_name("options.txt")
#: The record of the release before.
EARLIER = Path(__file__).with_name("options-0.1.0.txt")
CHANGELOG = Path(__file__).parents[3] / "CHANGELOG.md"


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


def defaults(record: Path) -> dict[str, tuple[str, str]]:
    """Command and option, by its first spelling -> variable and default."""
    found = {}
    for line in record.read_text("utf-8").splitlines():
        names, variable, default = line.split(" | ", 2)
        command, spellings = names.split(": ", 1)
        found[f"{command} {spellings.split()[0]}"] = variable, default
    return found


def test_changed_defaults_are_told() -> None:
    """CHANGELOG names every option whose variable or default is another than in the release before, and no other."""
    earlier, now = defaults(EARLIER), defaults(RECORD)
    assert [] == [option for option in earlier if option not in now], "an option is gone"
    changed = {option for option in earlier if earlier[option] != now[option]}
    section = CHANGELOG.read_text("utf-8").partition("### Changed defaults\n")[2].partition("\n### ")[0]
    assert changed == set(re.findall(r"^- `([^`]+)`", section, re.MULTILINE))
