"""deploy/wheelhouse against a package index: what [worker] needs has wheels for glibc 2.27."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[3] / "deploy" / "wheelhouse" / "check.py"


def checked(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A run of the check; skips the test where pip finds no package index."""
    probe = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "idna"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("pip reaches no package index")
    command = [sys.executable, str(CHECK), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="pip reads conditions for the Python it runs on")
@pytest.mark.parametrize(
    ("extra", "status"),
    [
        pytest.param("worker", 0, id="worker"),
        pytest.param("cpu", 1, id="OpenVINO needs a newer glibc, and the check sees it"),
    ],
)
def test_wheels(extra: str, status: int) -> None:
    """What a worker on a card needs resolves to wheels for glibc 2.27 alone; OpenVINO does not."""
    assert status == checked("--extra", extra).returncode
