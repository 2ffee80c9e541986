"""Comma, semicolon or tab separated values, as spreadsheets and `datasets` write them."""

from __future__ import annotations

import ast
import csv
import io
import json
import sys
from collections.abc import Iterator

from spanserve.squad.errors import SquadError
from spanserve.squad.node import Node
from spanserve.squad.text import decoded

#: Columns whose cells may hold a list or an object, as Python or JSON writes them.
_LITERALS = ("answers", "answers.text")


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
    return (Node(f"row {number}", _cells(row)) for number, row in enumerate(rows, 1))


def _cells(row: dict[str, str]) -> dict[str, object]:
    cells: dict[str, object] = {name: cell for name, cell in row.items() if isinstance(name, str)}
    for name in _LITERALS:
        cell = row.get(name)
        if isinstance(cell, str):
            cells[name] = _literal(cell) if cell.strip()[:1] in ("{", "[", "a") else cell or None
    return cells


def _literal(cell: str) -> object:
    """The value that a cell spells, in JSON or as Python prints it; the text itself if it spells none."""
    try:
        return json.loads(cell)
    except ValueError:
        pass
    try:
        return _value(ast.parse(cell.strip(), mode="eval").body)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return cell


def _value(tree: ast.expr) -> object:
    match tree:
        case ast.Constant():
            return tree.value
        case ast.List() | ast.Tuple():
            return [_value(item) for item in tree.elts]
        case ast.Dict():
            keys = [_value(key) if key else None for key in tree.keys]
            return {str(key): _value(item) for key, item in zip(keys, tree.values, strict=True)}
        case ast.Call(func=ast.Name(id="array"), args=[first, *_]):  # how numpy prints one
            return _value(first)
    raise ValueError("not a literal")
