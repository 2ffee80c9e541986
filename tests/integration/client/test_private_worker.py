"""A command with a private worker that cannot run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_missing_package(tmp_path: Path) -> None:
    """Its end ends the wait, and what would have to be installed is named."""
    (tmp_path / "structlog.py").write_text("raise ModuleNotFoundError('no structlog', name='structlog')\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    ran = subprocess.run(
        [sys.executable, "-m", "spanserve", "ask", "--wait", "3600", "-c", "It froze in 1871.", "When?"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (2, "") == (ran.returncode, ran.stdout)
    assert "the private worker ended with status 2" in ran.stderr
    assert "pip install 'spanserve[worker]'" in ran.stderr
