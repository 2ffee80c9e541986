"""The wheel: it holds what the tree holds, and works without it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.unit.test_layout import TYPED

ROOT = Path(__file__).parents[2]
#: The source roots of the one distribution.
ROOTS = ("proto", "worker", "client", "builder")


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
        "spanserve/client/report/report.html.jinja",
        "spanserve/demo/multilingual.json",
        "spanserve/demo/questions.json",
        "spanserve/device/host/__main__.py",
        "spanserve/device/host/serve.py",
        *(f"spanserve/doors/http/page/{name}" for name in ("icon.svg", "index.html", "main.js", "page.css")),
    }
    expected |= {f"spanserve/{package}/py.typed" for package in TYPED}
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
