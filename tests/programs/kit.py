"""A copy of a public repository, and a way to run its scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.emulated import EMULATOR

#: Scripts of ours that run under the Python of the programs.
PINNED = Path(__file__).parent / "pinned"


class Program:
    """A copy of some folders of a repository, and the environment of its scripts.

    Args:
        source: folder of the repository.
        folder: for the copy; it is made.
        parts: what is copied, as paths inside; all of it if there are none.
        python: interpreter that the scripts get as `python`.
        site: folders that come first on its path.
    """

    def __init__(self, source: Path, folder: Path, parts: tuple[str, ...], python: str, *site: Path) -> None:
        if not source.is_dir():
            pytest.skip(f"SPANSERVE_PROGRAMS_DIR has no {source.name}")
        for part in parts or (".",):
            shutil.copytree(source / part, folder / part, dirs_exist_ok=True)
        self.folder = folder
        self.site = folder / "site"
        self.python = python
        scripts = folder / "bin"
        scripts.mkdir(parents=True)
        self._script(scripts / "python", f'exec {python} "$@"')
        # what a script installs is there already, but for the source that it has patched itself
        self._script(scripts / "pip", f'[ -d "$2/src" ] && cp -r "$2/src/." {self.site}; exit 0')
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            "PATH": f"{scripts}:{os.environ['PATH']}",
            "PYTHONPATH": ":".join(map(str, (self.site, *site, EMULATOR))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "HF_DATASETS_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "HF_HOME": str(folder / "hub"),
        }

    def run(self, *command: str, at: Path | str, **variables: object) -> str:
        """Output of a command that succeeds.

        Args:
            at: folder to be in, inside the copy.
            variables: of the environment, for this command.
        """
        done = subprocess.run(
            command,
            cwd=self.folder / at,
            env={**self.environment, **{name: str(value) for name, value in variables.items()}},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
            check=False,
        )
        assert 0 == done.returncode, done.stdout[-4000:]
        return done.stdout

    def cpu(self, task: str, *arguments: object, **variables: object) -> str:
        """Output of a task of `cpu.py`."""
        return self.run(self.python, str(PINNED / "cpu.py"), task, *map(str, arguments), at=".", **variables)

    def _script(self, file: Path, text: str) -> None:
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
