"""The device host as a program: alone under a private name, in a form that Python 3.7 accepts."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from spanserve.device.process import HOST_PROGRAM

#: `sdk` is loaded beside it.
FILES = sorted([*HOST_PROGRAM.rglob("*.py"), *(HOST_PROGRAM.parent / "sdk").rglob("*.py")])
BACKENDS = {
    "cpu.py": {"openvino"},
    "magicmind.py": {"magicmind"},
    "magicmind_profile.py": {"magicmind"},
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_annotations_are_not_evaluated(path: Path) -> None:
    """Each file parses as Python 3.7 and leaves its annotations unevaluated, or has none."""
    module = tree(path)
    postponed = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in module.body
    )
    annotated = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.AnnAssign)
        or (isinstance(node, ast.arg) and node.annotation is not None)
        or (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None)
    ]
    assert postponed or not annotated


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_imports(path: Path) -> None:
    """It imports the standard library, numpy, itself, and a runtime only in the backend of its own."""
    imported = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module is not None
            imported.add(node.module.split(".")[0])
    allowed = {"numpy"} | BACKENDS.get(path.name, set())
    assert set() == imported - set(sys.stdlib_module_names) - allowed
