"""What commands print to people: text from outside is always escaped, and is never taken for markup."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from spanserve.contract.escape import MAX_SHOWN, escape

#: Characters shown of a cell of a table.
MAX_CELL = 1024
#: Width of what is no terminal: a file or a program gets every fact whole and in one line.
UNBOUNDED = 1 << 16


class Terminal(Console):
    """A console on which text controls nothing: no markup, no emoji codes, and control characters are shown.

    Args:
        stderr: write to standard error.
        options: others of rich's Console.
    """

    def __init__(self, *, stderr: bool = False, **options: Any) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, **options)
        if not self.is_terminal and "width" not in options and not os.environ.get("COLUMNS"):
            self.width = UNBOUNDED

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Every piece of text passes through here before layout; rich's own control sequences pass as they are."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(escape(segment.text, sys.maxsize, lines=True), segment.style)


class Rows(Table):
    """A table for people. What is wider than a terminal goes on in the next line; a cell is cut at MAX_CELL alone.

    Args:
        columns: their titles; one that ends in a blank is aligned to the right. None: a list of names and values.
    """

    def __init__(self, *columns: str) -> None:
        super().__init__(box=None, show_header=bool(columns), padding=(0, 2, 0, 0), pad_edge=False)
        for column in columns:
            self.add_column(column.strip(), justify="right" if column.endswith(" ") else "left")

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; see `rich.table.Table`."""
        super().add_row(*(Text(escape(c, MAX_CELL)) if isinstance(c, str) else c for c in cells), **options)
        for column in self.columns:  # without titles they come with the first row
            column.overflow = "fold"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Without blanks at the ends of lines where there is no terminal: one long line would make all others long."""
        drawn = super().__rich_console__(console, options)
        if console.is_terminal:
            yield from drawn
            return
        for line in Segment.split_lines(piece for piece in drawn if isinstance(piece, Segment)):
            yield Segment("".join(segment.text for segment in line).rstrip(" ") + "\n")


def complain(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(escape(text, MAX_SHOWN) + "\n")
