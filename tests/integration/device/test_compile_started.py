"""The compile step as a process: without the SDK, and without its builder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from spanserve.builder.targets.compiler import PROGRAM


def test_without_the_sdk(tmp_path: Path) -> None:
    """Under an interpreter without the SDK it says so in one line, and prints nothing else."""
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"graphs": []}))
    process = subprocess.Popen(
        [sys.executable, "-I", str(PROGRAM), str(request)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        events = [json.loads(line) for line in process.stdout]
        assert "" == process.stderr.read()
    assert 1 == process.returncode
    assert {"op": "failed", "step": "import", "message": "No module named 'magicmind'"} == events[-1]


def test_ends_with_its_builder(tmp_path: Path) -> None:
    """It ends when its standard input does: the builder has died, and nobody waits for the result."""
    fifo = tmp_path / "request.json"
    subprocess.run(["mkfifo", str(fifo)], check=True)  # reading the request never ends
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(fifo)], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.close()
    assert 1 == process.wait(timeout=60)
