"""The release before this one, out of the history, to run beside this one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.kit.processes import ROOT

#: The last commit of the release before this one.
COMMIT = "f6d1d60"
#: The folders in which its packages are, and the one with the users of its Redis.
ROOTS = ("proto", "worker", "client", "builder")
DEPLOY = "deploy/redis"


class EarlierRelease:
    """Its packages in a folder. A program that is run with `env` finds them before those of this release."""

    def __init__(self, folder: Path) -> None:
        self.deploy = folder / DEPLOY
        self.bundle = folder / "worker" / "spanserve" / "demo" / "bundle"
        ours = {str(ROOT / root) for root in ROOTS}
        others = [path for path in sys.path if path not in ours]
        self.env = {"PYTHONPATH": os.pathsep.join([*(str(folder / root) for root in ROOTS), *others])}


def unpack_earlier_release(folder: Path) -> EarlierRelease:
    """Take it out of the history; skips the test where there is none, as in a shallow clone or an archive."""
    command = ["git", "-C", str(ROOT), "archive", COMMIT, "--", *ROOTS, DEPLOY]
    try:
        packed = subprocess.run(command, check=True, capture_output=True).stdout
    except FileNotFoundError:
        pytest.skip("there is no git, which has the release before")
    except subprocess.CalledProcessError:
        pytest.skip(f"the history here does not reach back to {COMMIT}, the release before")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return EarlierRelease(folder)
