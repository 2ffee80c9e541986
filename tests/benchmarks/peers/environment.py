"""Virtual environments of the peers, one each, below `.venv-peers` in the checkout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.setup import ROOT

FOLDER = ROOT / ".venv-peers"
#: What the handler needs, of every peer that has it.
HANDLER = ("openvino==2026.4.1", "tokenizers", "numpy")
_STAMP = "packages.txt"


class NotInstalled(Exception):
    """A peer's packages cannot be had here. Says what pip said last."""


def environment(name: str, packages: Sequence[str]) -> Path:
    """The folder of an environment with these packages, made on first use.

    Raises:
        NotInstalled: pip failed.
    """
    folder = FOLDER / name
    stamp, wanted = folder / _STAMP, "".join(f"{package}\n" for package in packages)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return folder
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", *packages]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalled(f"{name}: {(done.stderr.splitlines() or ['pip failed'])[-1]}")
    stamp.write_text(wanted, encoding="utf-8")
    return folder
