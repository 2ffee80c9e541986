"""The tree and the wheel: rules that no tool checks."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from spanserve.contract import errors

ROOT = Path(__file__).parents[2]
#: The source roots of the one distribution.
ROOTS = ("proto", "worker", "client", "builder")
#: A file is one noun; from here on it is two.
MAX_LINES = 400
#: What devices and targets are called, and classes that stand for one.
CALLED = {"cpu", "mlu", "sim", "fixed", "sim:fixed", "sim:card", "magicmind", "openvino", "simulated"}
CLASSES = {"CPU", "MLU", "SIMULATED", "SIMULATED_CARD"} | {
    name + end for name in ("Cpu", "MagicMind", "Simulated") for end in ("Backend", "Target")
}
#: Those who may ask: the table, the hosts, the builder's targets; format 1, whose rule it is; and two that mean others,
#: a controller of cgroups and a label of mlu-exporter.
MAY_ASK = (
    "worker/spanserve/device/kinds.py",
    "worker/spanserve/device/host/",
    "worker/spanserve/device/compile/",
    "builder/spanserve/builder/targets/",
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


def test_no_branch_on_a_device() -> None:
    """Nobody asks what a device is called: its kind has a trait for what was to be known."""
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


def test_generated_files_are_kept() -> None:
    """What git ignores is missing from the wheel: stubs and the demo are not ignored."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    paths = [*(ROOT / "proto/spanserve/v1").glob("*_pb2*"), ROOT / "worker/spanserve/demo/bundle/model.bin"]
    assert len(paths) >= 9
    done = subprocess.run(
        ["git", "check-ignore", *map(str, paths)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "" == done.stdout + done.stderr


# --- the wheel --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `pip install` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = folder.glob("spanserve-*.whl")
    return path


def tracked(root: str) -> set[str]:
    """Files below a root's `spanserve`, as they would be named in a wheel."""
    folder = ROOT / root
    return {
        path.relative_to(folder).as_posix()
        for path in (folder / "spanserve").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_holds_everything(wheel: Path) -> None:
    """The wheel is the four roots and nothing else: stubs, demo data, template, py.typed, host program."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert set().union(*map(tracked, ROOTS)) == names
    expected = {
        "spanserve/v1/task_pb2.py",
        "spanserve/v1/task_pb2.pyi",
        "spanserve/v1/worker_pb2_grpc.py",
        "spanserve/cli/py.typed",
        "spanserve/client/report/report.html.jinja",
        "spanserve/demo/multilingual.json",
        "spanserve/demo/questions.json",
        "spanserve/device/host/__main__.py",
        "spanserve/device/host/serve.py",
    }
    assert set() == expected - names
    assert [] == [
        name for name in names if "test" in name.split("/")[-1] or not name.startswith("spanserve/")
    ]


#: Imports from the unpacked wheel alone: the checkout is not on the path.
PROBE = """
import importlib, pkgutil, sys
folder, packages = sys.argv[1:]
sys.path[:0] = [folder]
sys.path.append(packages)  # appended, so that its .pth files are not read
import spanserve
assert set(spanserve.__path__) == {folder + "/spanserve"}, list(spanserve.__path__)
for name in ("cli.main", "client", "worker.run", "builder", "device", "qa", "v1.worker_pb2_grpc"):
    assert importlib.import_module("spanserve." + name).__file__.startswith(folder), name
from spanserve.device.process import HOST_PROGRAM
assert (HOST_PROGRAM / "__main__.py").is_file()
sys.argv = ["spanserve", "--help"]
from spanserve.cli.main import main
main()
"""


def test_wheel_works_outside_the_tree(wheel: Path, tmp_path: Path) -> None:
    """The unpacked wheel imports and runs its command without the checkout."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    packages = sysconfig.get_path("purelib")
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROBE, str(tmp_path), packages],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert "eval" in done.stdout
