"""The comparison with other servers, on few questions of the built-in data set."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spanserve import demo

ROOT = Path(__file__).parents[2]


def measured(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """Lines of the results."""
    results = folder / "results.jsonl"
    command = [sys.executable, "-m", "tests.benchmarks.peers", *arguments, "--dataset", str(demo.QUESTIONS)]
    few = ("--questions", "8", "--warm", "2", "--rounds", "1", "--results", str(results))
    done = subprocess.run(
        [*command, *few], cwd=ROOT, capture_output=True, text=True, timeout=1500, check=False
    )
    assert 0 == done.returncode, done.stderr
    if "left out" in done.stderr:
        pytest.skip(done.stderr)
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


def test_ours(tmp_path: Path) -> None:
    """A worker is started, answers all questions, and what that cost is told."""
    (row,) = measured(tmp_path, "answer-all", "--no-latency")
    assert (8, 0, "answer-all") == (row["questions"], row["errors"], row["spec"])
    assert row["exact"] > 0
    assert min(row["rate"], row["processor_s_per_1000"], row["memory_mb"]) > 0


@pytest.mark.long
def test_another(tmp_path: Path) -> None:
    """Another server is installed, started and asked, in both loops; all is answered."""
    rows = measured(tmp_path, "mosec", "--plain")
    assert {0.0, 0.5, 0.8} == {row["part"] for row in rows}
    assert {0} == {row["errors"] for row in rows}
    assert min(row["exact"] for row in rows) > 0
