"""What commands print to people: text from outside is always escaped, and is never taken for markup."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from spanserve.contract.escape import MAX_SHOWN, escape

#: Characters shown of a cell of a table.
MAX_CELL = 1024


class Terminal(Console):
    """A console on which text controls nothing: no markup, no emoji codes, and control characters are shown.

    Args:
        stderr: write to standard error.
        options: others of rich's Console.
    """

    def __init__(self, *, stderr: bool = False, **options: Any) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Every piece of text passes through here before layout; rich's own control sequences pass as they are."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(escape(segment.text, sys.maxsize, lines=True), segment.style)


class Rows(Table):
    """A table for people; cells have one line each, and a long one is cut.

    Args:
        columns: their titles; one that ends in a blank is aligned to the right. None: a list of names and values.
    """

    def __init__(self, *columns: str) -> None:
        super().__init__(box=None, show_header=bool(columns), padding=(0, 2, 0, 0))
        for column in columns:
            self.add_column(column.strip(), justify="right" if column.endswith(" ") else "left")

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; see `rich.table.Table`."""
        super().add_row(*(Text(escape(c, MAX_CELL)) if isinstance(c, str) else c for c in cells), **options)


def complain(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(escape(text, MAX_SHOWN) + "\n")
