"""The curl lines of README and docs run as they stand, on a worker as the page starts it, and print what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.processes import PATIENCE_S, WorkerProcess

ROOT = Path(__file__).parents[4]
#: Where the worker of the pages listens.
PLACE = "127.0.0.1:8080"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> Iterator[str]:
    """Blocks of commands in which that worker is asked by curl."""
    for block in re.findall(r"^```console\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S):
        if f"curl -s http://{PLACE}" in block or f"curl -sN http://{PLACE}" in block:
            yield block


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a block, and what it prints; … stands for anything."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        found = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*\n)(.*)", part, re.S)
        assert found is not None
        command, said = found.groups()
        if not command.startswith("spanserve worker"):
            yield command, said


ALL = [pytest.param(block, id=f"{page.stem}-{n}") for page in PAGES for n, block in enumerate(blocks(page))]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where a worker with the built-in model listens."""
    with WorkerProcess("--http", "127.0.0.1:0") as worker:
        worker.wait_ready()
        yield str(worker.wait_for("listening", door="http")["address"])


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("block", ALL)
def test_block(block: str, address: str, tmp_path: Path) -> None:
    """Every command succeeds, and what it prints is what the page says that it prints."""
    for command, said in commands(block):
        done = subprocess.run(
            ["bash", "-c", command.replace(PLACE, address)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (0, "") == (done.returncode, done.stderr)
        expected = "".join(
            ".*" if part == "…" else re.escape(part) for part in re.split("(…)", said.rstrip())
        )
        assert re.fullmatch(expected, done.stdout.rstrip(), re.S), done.stdout


def test_there_are_some() -> None:
    """README shows how to ask over HTTP, and so does the page about programs."""
    assert {"README", "api"} <= {str(param.id).rpartition("-")[0] for param in ALL}
