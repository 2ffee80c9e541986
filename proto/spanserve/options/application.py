"""A command line application with the conventions that all our commands share."""

from __future__ import annotations

from typing import Any

import typer

#: Settings of a command's context; a command that needs others adds them to these.
HABITS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


def application(*, summary: str | None = None, no_args_is_help: bool = False) -> typer.Typer:
    """An application without commands yet; `-h` is `--help` on every level of it.

    Args:
        summary: what it is for, where it has several commands.
        no_args_is_help: show the help where no command is named.
    """
    return typer.Typer(
        add_completion=False,  # that is the entry point's
        context_settings=HABITS,
        help=summary,
        no_args_is_help=no_args_is_help,
    )
