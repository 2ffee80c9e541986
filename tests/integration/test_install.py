"""The wheel in fresh environments, on every Python that is found: what is installed works, and says what it lacks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
#: Seconds for pip, and for a command.
INSTALL_S, RUN_S = 900, 300
RELEASE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
CONTEXT = "The harbour froze in 1871, said Anna Holm."


def candidates(version: str) -> Iterator[Path]:
    """Where a Python of this version may be: on PATH, and where pyenv and uv keep theirs."""
    if (found := shutil.which(f"python{version}")) is not None:
        yield Path(found)
    home = Path.home()
    yield from sorted(home.glob(f".pyenv/versions/{version}.*/bin/python"))
    yield from sorted(home.glob(f".local/share/uv/python/cpython-{version}.*/bin/python3"))


def python_of(version: str) -> Path:
    """A Python of this version; skips the test where there is none."""
    for path in candidates(version):
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        if re.match(rf"Python {re.escape(version)}\.", said.stdout):
            return path
    pytest.skip(f"there is no Python {version} on this machine")


class Fresh:
    """An environment with nothing in it."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.folder = folder
        self._environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run([python, "-m", "venv", folder], check=True, timeout=INSTALL_S)

    def install(self, *what: str) -> None:
        """Skips the test where pip reaches no index."""
        done = self._run("pip", "install", "--quiet", "--disable-pip-version-check", *what, timeout=INSTALL_S)
        if "No matching distribution" in done.stderr and "from versions: none" in done.stderr:
            pytest.skip(f"pip reaches no package index: {done.stderr.strip().splitlines()[-1]}")
        assert 0 == done.returncode, done.stderr

    def spanserve(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run("spanserve", *arguments, timeout=RUN_S)

    def _run(self, program: str, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
        command = [str(self.folder / "bin" / program), *arguments]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make wheels` builds it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=INSTALL_S)
    assert (folder / f"spanserve-{RELEASE}.tar.gz").is_file()
    return folder / f"spanserve-{RELEASE}-py3-none-any.whl"


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
def test_install(version: str, wheel: Path, tmp_path: Path) -> None:
    """Without extras the command is there and names what a worker lacks; with them it answers by the built-in model."""
    fresh = Fresh(python_of(version), tmp_path / "venv")
    pins = ("--constraint", str(ROOT / "constraints.txt"))
    fresh.install(*pins, str(wheel))
    assert f"spanserve {RELEASE}" == fresh.spanserve("--version").stdout.strip()
    lacking = fresh.spanserve("worker")
    assert 0 != lacking.returncode
    assert "pip install 'spanserve[worker" in lacking.stderr
    fresh.install(*pins, f"{wheel}[worker,cpu]")
    answered = fresh.spanserve("ask", "-c", CONTEXT, "When did the harbour freeze?")
    assert 0 == answered.returncode, answered.stderr
    assert "1871" in answered.stdout


@pytest.mark.long
def test_install_by_hashes(wheel: Path, tmp_path: Path) -> None:
    """The lock is all that the wheel needs: with its files and no others a worker answers."""
    fresh = Fresh(python_of("{}.{}".format(*sys.version_info[:2])), tmp_path / "venv")
    fresh.install("--require-hashes", "--requirement", str(ROOT / "requirements/serve.lock"))
    fresh.install("--no-deps", str(wheel))
    answered = fresh.spanserve("ask", "-c", CONTEXT, "When did the harbour freeze?")
    assert 0 == answered.returncode, answered.stderr
    assert "1871" in answered.stdout
