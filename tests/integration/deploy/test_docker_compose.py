"""compose.yaml, by Docker's own reader."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.kit.deployed import DEPLOY


@pytest.mark.parametrize("more", [(), ("compose.grpc.yaml",)], ids=["alone", "with callers"])
def test_docker_compose(more: tuple[str, ...]) -> None:
    """`docker compose config` takes the file, alone and with the other beside it."""
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], check=False, capture_output=True).returncode
    ):
        pytest.skip("docker compose is not installed")
    ran = subprocess.run(
        [docker, "compose", *(f"--file={DEPLOY / name}" for name in ("compose.yaml", *more)), "config"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert 0 == ran.returncode, ran.stderr
