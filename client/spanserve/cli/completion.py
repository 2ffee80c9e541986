"""Completion of command lines in bash, zsh and fish, by Typer's own scripts.

The shell calls `spanserve` with the line so far in its environment; only the command that is on it is imported.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping

import typer

#: Set by the scripts that Typer writes, with what is asked for.
VARIABLE = "_SPANSERVE_COMPLETE"
#: Options of `spanserve` itself that show or install a script.
OPTIONS = ("--show-completion", "--install-completion")
#: Where bash, and where zsh and fish put the line.
_LINES = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")


def is_asked(arguments: list[str]) -> bool:
    """Whether this is about completion and no command is to be run."""
    return VARIABLE in os.environ or (bool(arguments) and arguments[0].partition("=")[0] in OPTIONS)


def complete(arguments: list[str], lines: Mapping[str, str], load: Callable[[str], typer.Typer]) -> None:
    """Answer the shell; ends the process.

    Args:
        lines: each command with what it is for.
        load: imports a command.
    """
    root = typer.Typer(name="spanserve")
    root.callback()(lambda: None)
    named = _named()
    for name, line in lines.items():
        if name == named:
            _add(root, name, load(name))
        else:
            root.command(name, help=line)(lambda: None)
    root(args=arguments, prog_name="spanserve")


def _named() -> str:
    """The command that is on the line, if any."""
    line = next((os.environ[key] for key in _LINES if key in os.environ), "")
    try:
        words = shlex.split(line)
    except ValueError:  # in the middle of a quotation
        words = line.split()
    return words[1] if len(words) > 1 else ""


def _add(root: typer.Typer, name: str, app: typer.Typer) -> None:
    """Put a command, or the commands of a group, below the root."""
    if len(app.registered_commands) > 1 or app.registered_groups or app.registered_callback:
        root.add_typer(app, name=name)
    else:
        (command,) = app.registered_commands
        command.name = name
        root.registered_commands.append(command)
