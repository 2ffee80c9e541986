"""Help texts in paragraphs that fill the terminal: the lines of a docstring are as long as those of the source."""

from __future__ import annotations

import inspect

import typer

#: Before a block whose lines stay as they are, for Typer.
_AS_IT_IS = "\b\n"


def fill(app: typer.Typer) -> typer.Typer:
    """Have the help of an application's commands, and of those of its groups, filled. Returns the application."""
    for command in app.registered_commands:
        text = command.help or (command.callback.__doc__ if command.callback else None)
        command.help = joined(inspect.cleandoc(text or "")) or None
        command.epilog = joined(command.epilog or "") or None
    for group in app.registered_groups:
        if group.typer_instance is not None:
            fill(group.typer_instance)
    return app


def joined(text: str) -> str:
    """A text with the lines of each paragraph joined, but for blocks in which any is indented, as examples are."""
    return _AS_IT_IS.join(
        "\n\n".join(_paragraph(part) for part in block.split("\n\n")) for block in text.split(_AS_IT_IS)
    )


def _paragraph(text: str) -> str:
    lines = text.strip("\n").split("\n")
    if any(line.startswith(" ") for line in lines):
        return text
    return " ".join(lines) + ("\n" if text.endswith("\n") else "")
