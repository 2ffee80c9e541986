"""The tree: rules that no tool checks."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from spanserve.contract import errors

ROOT = Path(__file__).parents[2]
#: The source roots of the one distribution.
ROOTS = ("proto", "worker", "client", "builder")
#: Packages: type checkers of users are to look into each.
TYPED = sorted(
    found.parent.name for root in ROOTS for found in (ROOT / root / "spanserve").glob("*/__init__.py")
)
#: A file is one noun; from here on it is two.
MAX_LINES = 400
#: What devices, targets and families of models are called, and classes that stand for one.
CALLED = {
    *("cpu", "mlu", "sim", "fixed", "sim:fixed", "sim:card", "magicmind", "openvino", "simulated"),
    *("bert", "roberta", "xlm-roberta", "camembert", "distilbert", "electra", "albert", "mpnet"),
}
CLASSES = {"CPU", "MLU", "SIMULATED", "SIMULATED_CARD"} | {
    name + end for name in ("Cpu", "MagicMind", "Simulated") for end in ("Backend", "Target")
}
#: Those who may ask: the table, the hosts, the builder's targets and families; format 1, whose rule it is; and two
#: that mean others, a controller of cgroups and a label of mlu-exporter.
MAY_ASK = (
    "worker/spanserve/device/kinds.py",
    "worker/spanserve/device/host/",
    "worker/spanserve/device/compile/",
    "builder/spanserve/builder/targets/",
    "builder/spanserve/builder/families/",
    "proto/spanserve/bundle/format1.py",
    "worker/spanserve/device/cpus.py",
    "worker/spanserve/doctor/exporter.py",
)


def sources(*roots: str) -> Iterator[Path]:
    """Python files under roots, without generated ones."""
    for root in roots:
        for path in sorted((ROOT / root).rglob("*.py")):
            if "_pb2" not in path.name:
                yield path


def functions(nodes: Iterable[ast.AST]) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions among nodes."""
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_namespace() -> None:
    """`spanserve` is a namespace over four roots: no folder of that name is a package, none is elsewhere."""
    folders = []
    for folder, inner, _ in os.walk(ROOT):
        inner[:] = [name for name in inner if not name.startswith(".")]
        folders += [Path(folder, name) for name in inner if name == "spanserve"]
    assert sorted(ROOTS) == sorted(relative(path.parent) for path in folders)
    assert [] == [relative(path) for path in folders if (path / "__init__.py").exists()]


@pytest.mark.parametrize("root", ROOTS)
def test_every_folder_is_a_package(root: str) -> None:
    """Below the namespace every folder with Python in it is a package, so that no wheel forgets it."""
    folders = {path.parent for path in sources(root)} - {ROOT / root / "spanserve"}
    bare = [relative(folder) for folder in folders if not (folder / "__init__.py").exists()]
    assert set(bare) <= {"proto/spanserve/v1"}  # generated; found by path as a namespace of its own


def test_length() -> None:
    """No file reaches 400 lines."""
    lengths = [(len(path.read_bytes().splitlines()), relative(path)) for path in sources(*ROOTS, "tests")]
    assert [] == [entry for entry in lengths if entry[0] >= MAX_LINES]


def test_docstrings() -> None:
    """Every public module, class and function says what it is for."""
    silent = []
    for path in sources(*ROOTS):
        module = ast.parse(path.read_text(encoding="utf-8"))
        classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
        public = [node for node in (*classes, *functions(module.body)) if not node.name.startswith("_")]
        silent += [f"{relative(path)}:{node.lineno}" for node in public if not ast.get_docstring(node)]
        if not ast.get_docstring(module):
            silent.append(relative(path))
    assert [] == silent


def test_tests_say_what_holds() -> None:
    """Every test states a behaviour."""
    silent = []
    for path in sources("tests"):
        tests = functions(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        silent += [
            f"{relative(path)}:{test.lineno}"
            for test in tests
            if test.name.startswith("test_") and not ast.get_docstring(test)
        ]
    assert [] == silent


def identities(path: Path) -> Iterator[str]:
    """Places in a file that ask what a device is called: a name of a kind or target compared, matched or looked up."""
    asked: list[ast.AST] = []
    module = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(module):
        match node:
            case ast.Compare():
                asked += [part for side in (node.left, *node.comparators) for part in ast.walk(side)]
            case ast.MatchValue() | ast.Subscript(slice=ast.Constant()):
                asked += ast.walk(node)
            case ast.Dict():
                asked += [part for key in node.keys if key is not None for part in ast.walk(key)]
            case ast.Call(func=ast.Attribute(attr="startswith" | "endswith" | "get" | "removeprefix")):
                asked += [part for argument in node.args for part in ast.walk(argument)]
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass")):
                asked += ast.walk(node.args[1])
    for node in asked:
        match node:
            case ast.Constant(value=str() as text) if text.rstrip(":") in CALLED:
                yield f"{relative(path)}:{node.lineno} {text!r}"
            case ast.Name(id=name) if name in CLASSES:
                yield f"{relative(path)}:{node.lineno} {name}"
            case ast.Attribute(value=ast.Attribute(attr="kind"), attr="name" | "backend") as part:
                yield f"{relative(path)}:{part.lineno} {ast.unparse(part)}"


def test_no_branch_on_a_name() -> None:
    """No code asks what a device or a family is called: each has a trait for what was to be known."""
    found = {
        place
        for path in sources(*ROOTS)
        if not any(relative(path).startswith(other) for other in MAY_ASK)
        for place in identities(path)
    }
    assert set() == found


@pytest.mark.parametrize(
    "line",
    [
        'if spec.kind.name == "abacus": pass',
        'x = target == "magicmind"',
        'x = spec.text.startswith("mlu:")',
        'x = {"cpu": 1, "sim": 2}[name]',
        'x = manifest.target in ("cpu", "other")',
        "x = isinstance(backend, SimulatedBackend)",
        "x = spec.kind is MLU",
        'match kind:\n    case "mlu": pass',
        'if config["model_type"] == "roberta": pass',
    ],
)
def test_branches_are_found(tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every spelling of that question is found."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "asks.py").write_text(line)
    assert [] != list(identities(tmp_path / "asks.py"))


def test_errors_are_drawn() -> None:
    """The tree of errors in `spanserve.contract.errors` has every kind that is directly below the base."""
    kinds = set()
    for path in sources(*ROOTS):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and "SpanserveError" in map(ast.unparse, node.bases):
                kinds.add(node.name)
    drawn = [line for line in (errors.__doc__ or "").splitlines() if line.startswith(("├", "└"))]
    assert kinds == {line.split()[1] for line in drawn}


def test_test_names() -> None:
    """Test files have names of their own: they are modules without packages."""
    names = [path.name for path in sources("tests") if path.name.startswith("test_")]
    assert sorted(set(names)) == sorted(names)
