"""What is printed to people: nothing of it is left out, however narrow the place."""

from __future__ import annotations

import io
from typing import Any

import pytest

from spanserve.options.terminal import Rows, Terminal

DIGEST = "0123456789abcdef" * 4


def printed(**options: Any) -> list[str]:
    """Lines of a table with a digest."""
    table = Rows()
    table.add_row("lower case reason", "x")
    table.add_row("digest", DIGEST)
    file = io.StringIO()
    Terminal(file=file, **options).print(table)
    return file.getvalue().splitlines()


def test_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file a fact has one line, whatever its length, and no line ends in blanks."""
    monkeypatch.delenv("COLUMNS", raising=False)
    assert ["lower case reason  x", f"digest             {DIGEST}"] == printed()


@pytest.mark.parametrize("width", [40, 61, 80, 83, 200])
@pytest.mark.parametrize("terminal", [True, False])
def test_narrow(width: int, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit goes on in the next line."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    lines = printed(force_terminal=terminal)
    assert max(map(len, lines)) <= width
    assert DIGEST == "".join("".join(lines[1:]).removeprefix("digest").split())
