"""JSON, and JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from spanserve.squad.errors import SquadError
from spanserve.squad.node import Node, Unreadable
from spanserve.squad.text import decoded


def read_json(file: str, data: bytes) -> Iterator[Node]:
    """The document, or those of every line; a line that is not JSON is a flaw of its own.

    Raises:
        SquadError: it is neither.
    """
    text = decoded(file, data)
    try:
        return iter([Node("", json.loads(text))])
    except (ValueError, RecursionError) as error:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        if not any(isinstance(_line(line), dict) for _, line in lines[:2]):
            raise SquadError(f"{file} is not JSON: {error}") from None
        return (Node(f"line {number}", _line(line)) for number, line in lines)


def _line(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"a line that is not JSON ({error})")
