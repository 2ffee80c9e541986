"""Nobody prints to people past the terminal that escapes what comes from outside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: The terminal itself, and programs under the SDK's Python, which write to a pipe that the worker escapes.
MAY_PRINT = (
    "proto/spanserve/options/terminal.py",
    "worker/spanserve/device/host/",
    "worker/spanserve/device/compile/",
)
#: What is escaped as it is made.
SAFE = {"json.dumps", "escape"}
#: Ways past the terminal.
MODULES = {"rich.console.Console", "rich.table.Table", "rich.print", "rich.markup"}
CALLS = {"rich.print", "rich.inspect", "typer.echo", "typer.secho", "print"}


def names_of(expression: ast.expr) -> set[str]:
    """Dotted names that are called within an expression."""
    return {ast.unparse(node.func) for node in ast.walk(expression) if isinstance(node, ast.Call)}


def raw_prints(source: str) -> Iterator[str]:
    """Lines that print, or could, without an escape."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module=module, names=aliases):
                if {f"{module}.{alias.name}" for alias in aliases} & MODULES:
                    yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.Call(func=function):
                called = ast.unparse(function)
                if called in CALLS:
                    yield f"{node.lineno}: {called}"
                if called in ("sys.stdout.write", "sys.stderr.write"):
                    given = node.args[0]
                    texts = [part for part in ast.walk(given) if isinstance(part, ast.Name | ast.Attribute)]
                    if texts and not names_of(given) & SAFE:
                        yield f"{node.lineno}: {ast.unparse(node)}"
                for keyword in node.keywords:
                    if keyword.arg in ("markup", "highlight") and ast.unparse(keyword.value) == "True":
                        yield f"{node.lineno}: {keyword.arg}"


def test_everybody_prints_through_the_terminal() -> None:
    """No command makes a console or a table of its own, or writes to a standard stream what is not escaped."""
    found = []
    for root in ("proto", "worker", "client", "builder"):
        for path in sorted((ROOT / root).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if "_pb2" not in name and not name.startswith(MAY_PRINT):
                found += [f"{name}:{line}" for line in raw_prints(path.read_text(encoding="utf-8"))]
    assert [] == found


@pytest.mark.parametrize(
    "line",
    [
        "from rich.console import Console",
        "from rich.table import Table",
        "rich.print(tenant)",
        "typer.echo(f'{tenant} is gone')",
        "sys.stderr.write(f'spanserve: {error}')",
        "sys.stdout.write(name)",
        "text.render(markup=True)",
    ],
)
def test_raw_prints_are_found(line: str) -> None:
    """Every way past the terminal is found."""
    assert [] != list(raw_prints(line))


@pytest.mark.parametrize(
    "line", ["sys.stdout.write(json.dumps(x) + '\\n')", "sys.stderr.write('no such thing\\n')"]
)
def test_safe_prints_pass(line: str) -> None:
    """What is escaped as it is made, and words of ours, pass."""
    assert [] == list(raw_prints(line))
