"""A real CPython 3.7, the Python of the MagicMind SDK, with packages of its time."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

#: The last numpy for 3.7, and the one the SDK is used with.
NUMPY = "numpy==1.21.6"
#: The last onnxruntime with wheels for 3.7.
ONNXRUNTIME = "onnxruntime==1.14.1"


def make_python37(folder: Path, *packages: str) -> str:
    """An interpreter in an environment with these packages, made once and kept in `folder`; skips without."""
    with (folder / "lock").open("w") as lock:  # tests beside this one may want it as well
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _make(folder / "venv", packages)


def torch_python37() -> str:
    """The interpreter with torch 1.13.1 and numpy that a variable names; skips without, for it takes some 2 GB."""
    python = os.environ.get("SPANSERVE_OLD_TORCH_PYTHON")
    if not python:
        pytest.skip("SPANSERVE_OLD_TORCH_PYTHON is not set: it should name a Python 3.7 with torch 1.13.1")
    return python


def _make(venv: Path, packages: tuple[str, ...]) -> str:
    python = str(venv / "bin/python")
    names = ", ".join(package.partition("==")[0] for package in packages)
    if _runs(python) and _call(python, "-c", f"import {names}").returncode == 0:
        return python
    candidates = sorted(map(str, Path.home().glob(".pyenv/versions/3.7*/bin/python")))
    if on_path := shutil.which("python3.7"):
        candidates.append(on_path)
    found = next(filter(_runs, candidates), None)
    if found is None:
        pytest.skip("there is no Python 3.7")
    steps = (
        (found, "-m", "venv", "--clear", str(venv)),
        (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages),
    )
    for step in steps:
        done = _call(*step)
        if done.returncode:
            reason = done.stderr.strip()[-200:]
            pytest.skip(f"{', '.join(packages)} cannot be installed for Python 3.7: {reason}")
    return python


def _runs(python: str) -> bool:
    """Whether it is a 3.7 that works: on PATH there may be a shim that only knows what it would start."""
    try:
        done = _call(python, "-c", "import sys; print(sys.version_info[:2] == (3, 7))")
    except OSError:
        return False
    return done.stdout.strip() == "True"


def _call(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
