"""Other people's clients, each in an environment of its own: they pin what we cannot have beside our own packages."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: Seconds for pip, and for a client's program.
INSTALL_S = 240
RUN_S = 120


class Environment:
    """An environment with some packages, made once and kept in `folder`; skips where pip reaches no index.

    Args:
        together: packages lie beside ours, in our own Python; nothing else is installed with them.
    """

    def __init__(self, folder: Path, *packages: str, together: bool = False) -> None:
        self._together = together
        self._site = folder / "site"
        self._venv = folder / "venv"
        with (folder / "lock").open("w") as lock:  # tests beside this one may want it as well
            fcntl.flock(lock, fcntl.LOCK_EX)
            stamp = folder / "packages"
            wanted = " ".join((sys.version, *packages))
            if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
                self._install(packages)
                stamp.write_text(wanted, encoding="utf-8")

    def run(self, program: Path, *arguments: str) -> Any:
        """Run a program; what it prints, read as JSON.

        Raises:
            AssertionError: it failed, with what it said.
        """
        return json.loads(self.run_plain(program, *arguments))

    def run_plain(self, program: Path, *arguments: str) -> str:
        """Run a program; what it prints.

        Raises:
            AssertionError: it failed, with what it said.
        """
        python = sys.executable if self._together else str(self._venv / "bin/python")
        paths = [str(self._site), *sys.path] if self._together else []
        done = subprocess.run(
            [python, str(program), *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def _install(self, packages: tuple[str, ...]) -> None:
        pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if self._together:
            steps = [[sys.executable, *pip, "--no-deps", "--upgrade", "--target", str(self._site), *packages]]
        else:
            steps = [
                [sys.executable, "-m", "venv", "--clear", str(self._venv)],
                [str(self._venv / "bin/python"), *pip, *packages],
            ]
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, timeout=INSTALL_S, check=False)
            if done.returncode:
                pytest.skip(f"pip cannot install {', '.join(packages)}: {done.stderr.strip()[-200:]}")
