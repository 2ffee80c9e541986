"""The device host as a program: alone under a private name, in a form that Python 3.7 accepts."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from spanserve.device.process import HOST_PROGRAM

#: `sdk` is loaded beside it.
FILES = sorted([*HOST_PROGRAM.rglob("*.py"), *(HOST_PROGRAM.parent / "sdk").rglob("*.py")])
BACKENDS = {"cpu.py": {"openvino"}, "magicmind.py": {"magicmind"}}

#: Loads the program as `__main__` does, in an interpreter that refuses to know `spanserve`.
PROBE = """
import json, runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "spanserve":
            raise AssertionError("the host imports " + name)

sys.meta_path.insert(0, Refuse())
folder = sys.argv[1]
sys.path.insert(0, folder)  # as when it is started by path
program = runpy.run_path(folder + "/__main__.py", run_name="probe")
program["load"]()
import importlib
for name in ("serve", "ring", "channel", "backend", "simulated", "sdk_calls"):
    importlib.import_module("_spanserve_device.host." + name)
print(json.dumps({"modules": sorted(sys.modules), "on_path": folder in sys.path}))
"""


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_private_name() -> None:
    """It is one package under a private name; no part is a top-level module, none of ours is loaded."""
    probe = subprocess.run(
        [sys.executable, "-c", PROBE, str(HOST_PROGRAM)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = json.loads(probe.stdout)
    assert not [name for name in found["modules"] if name.split(".")[0] == "spanserve"]
    private = {name.partition(".")[2] for name in found["modules"] if name.startswith("_spanserve_device")}
    parts = [
        "backend",
        "backends",
        "cards",
        "channel",
        "driver_codes",
        "ring",
        "sdk_calls",
        "serve",
        "simulated",
    ]
    assert {"", "host", "sdk", "sdk.results", *("host." + part for part in parts)} == private
    assert not {"serve", "ring", "channel", "backend", "simulated"} & set(found["modules"])
    assert not found["on_path"]


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


def test_orphan_ends_at_once() -> None:
    """Started by a process that is gone meanwhile, or that was a script between, it says so and does nothing."""
    config = {"parent": 1 << 22}  # beyond any process id
    done = subprocess.run(
        [sys.executable, str(HOST_PROGRAM), json.dumps(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (70, "") == (done.returncode, done.stdout)
    assert "a script in place of the SDK's Python must `exec` it" in done.stderr
