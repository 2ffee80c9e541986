"""A running worker against its OpenAPI document: made-up requests, good and bad, by a fixed seed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.processes import WorkerProcess

ROOT = Path(__file__).parents[4]
CONFIG = ROOT / "tests" / "kit" / "openapi" / "schemathesis.toml"
SEED = "20260717"
#: Examples of each operation, and of all together at least.
SOME = pytest.param(5, 100, id="some")
MANY = pytest.param(1000, 2000, id="many", marks=[pytest.mark.long, pytest.mark.timeout(3600)])


@pytest.mark.parametrize(("examples", "least"), [SOME, MANY])
def test_nothing_is_found(
    start_worker: Callable[..., WorkerProcess], tmp_path: Path, examples: int, least: int
) -> None:
    """No request breaks the worker, and every answer is one that the document describes."""
    worker = start_worker("--http", "127.0.0.1:0").wait_ready()
    address = worker.wait_for("listening", door="http")["address"]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
        *("run", f"http://{address}/openapi.json", "--checks", "all"),
        *("--exclude-checks", "negative_data_rejection", "--continue-on-failure"),
        *("--max-examples", str(examples), "--seed", SEED, "--mode", "all"),
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.kit.openapi.hooks", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    print(done.stdout[-10_000:], done.stderr[-2_000:])
    assert 0 == done.returncode
    made = re.search(r"(\d+) generated", done.stdout)
    assert made is not None
    assert int(made[1]) >= least
    assert [] == [line for line in worker.lines if '"level": "error"' in line]
