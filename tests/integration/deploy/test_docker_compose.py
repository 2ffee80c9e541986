"""compose.yaml, by Docker's own reader."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.kit.deployed import DEPLOY


def test_docker_compose() -> None:
    """`docker compose config` takes the file."""
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], check=False, capture_output=True).returncode
    ):
        pytest.skip("docker compose is not installed")
    ran = subprocess.run(
        [docker, "compose", "-f", DEPLOY / "compose.yaml", "config"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert 0 == ran.returncode, ran.stderr
