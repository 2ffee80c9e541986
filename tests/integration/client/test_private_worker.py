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


def test_base_install(tmp_path: Path) -> None:
    """Without the extras it needs, nothing is started: both are named at once, so that one `pip install` helps."""
    probe = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("prometheus_client", "openvino") else find(name, *rest)
from spanserve.cli.main import main
main(["ask", "-c", "It froze in 1871.", "When?"])
"""
    ran = subprocess.run(
        [sys.executable, "-c", probe],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (2, "") == (ran.returncode, ran.stdout)
    assert (
        "needs the package prometheus_client and openvino: pip install 'spanserve[worker,cpu]'" in ran.stderr
    )
    assert [] == list(tmp_path.iterdir())
