"""docs/reliability.md: tests that a row of the faults names exist, and a test that names its row stands in it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/reliability.md").read_text(encoding="utf-8")
FAULTS = [f"D{number}" for number in range(1, 71)]


@cache
def rows() -> dict[str, list[tuple[str, str]]]:
    """Row -> the tests in it, as file and function; a name without a file is in the file before it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row, tests in re.findall(r"^\| (D\d+) \| [^|]+ \| ([^|]+) \| [^|]*\|$", PAGE, re.MULTILINE):
        assert row not in found, row
        found[row] = []
        file = ""
        for test in re.findall(r"`([^`]+)`", tests):
            path, _, name = test.rpartition("::")
            file = path or file
            if not test.startswith("make "):
                found[row].append((file, name))
    return found


@cache
def functions(file: Path) -> dict[str, str]:
    """Function of a file -> its description."""
    return {
        node.name: ast.get_docstring(node) or ""
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_fault_has_a_row() -> None:
    """Rows are complete and in order, and each names a test."""
    assert FAULTS == list(rows())
    assert [] == [row for row, tests in rows().items() if not tests]


def test_every_test_is_there() -> None:
    """What a row names is a function of the file that it names."""
    missing = [
        f"{row}: {file}::{name}"
        for row, tests in rows().items()
        for file, name in tests
        if not (TESTS / file).is_file() or name not in functions(TESTS / file)
    ]
    assert [] == missing


def test_every_mention_is_in_its_row() -> None:
    """A test whose description begins with the number of a fault is one of those in its row."""
    missing = [
        f"{row}: {file.relative_to(TESTS)}::{name}"
        for file in sorted(TESTS.rglob("test_*.py"))
        for name, description in functions(file).items()
        for row in re.findall(r"D\d+", (re.match(r"D\d+(?:, D\d+)*(?=:)", description) or [""])[0])
        if (str(file.relative_to(TESTS)), name) not in rows()[row]
    ]
    assert [] == missing
