"""Comma, semicolon or tab separated values, as spreadsheets and `datasets` write them."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator

from spanserve.squad.errors import SquadError
from spanserve.squad.node import Node
from spanserve.squad.text import decoded


def read_csv(file: str, data: bytes) -> Iterator[Node]:
    """A row for each line, its cells as text by the names in the first line.

    Raises:
        SquadError: not of that form.
    """
    text = decoded(file, data)
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    limit = csv.field_size_limit(sys.maxsize)  # a context may be long
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval=""))
    except csv.Error as error:
        raise SquadError(f"{file} is not CSV: {error}") from None
    finally:
        csv.field_size_limit(limit)
    cells = ({name: cell or None for name, cell in row.items() if isinstance(name, str)} for row in rows)
    return (Node(f"row {number}", row) for number, row in enumerate(cells, 1))
