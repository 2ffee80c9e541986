"""Ctrl-C on a run: how to go on is said."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.client.evaluation.ledger import LEDGER_NAME
from tests.kit.processes import WorkerProcess
from tests.kit.waiting import eventually

StartWorker = Callable[..., WorkerProcess]


@pytest.mark.parametrize("name", ["eval", "predict"])
async def test_ctrl_c(start_worker: StartWorker, tmp_path: Path, name: str) -> None:
    """The message names the folder and --resume; the exit status is that of an interrupt."""
    worker = start_worker("--max-batch-size", "1", device="sim:fixed?latency_ms=300").wait_ready()
    data = [] if name == "eval" else [str(_questions(tmp_path))]
    out = tmp_path / "out"
    ledger = out / LEDGER_NAME
    command = [sys.executable, "-m", "spanserve", name, *data, "--worker", worker.address, "-o", str(out)]
    running = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
    await eventually(lambda: ledger.is_file() and ledger.read_bytes().count(b"\n") > 1)
    running.send_signal(signal.SIGINT)
    _, said = await running.communicate()
    assert 130 == running.returncode
    assert (
        f"interrupted; the answers so far are kept in {out}: continue with the same command and --resume"
        in (said.decode())
    )


@pytest.mark.parametrize("name", ["eval", "predict", "predict-file"])
async def test_nothing_kept(tmp_path: Path, name: str) -> None:
    """A run that is ended while it waits for a worker says that nothing is left of it."""
    command, _, file = name.partition("-")
    data = [] if command == "eval" else [str(_questions(tmp_path))]
    out = tmp_path / ("out.json" if file else "out")
    arguments = [command, *data, "--worker", "127.0.0.1:1", "-o", str(out)]
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "spanserve", *arguments), stderr=subprocess.PIPE
    )
    assert running.stderr is not None
    assert b"no worker is ready" in await running.stderr.readline()
    running.send_signal(signal.SIGTERM)
    _, said = await running.communicate()
    assert 143 == running.returncode
    assert ["interrupted; nothing is kept: the same command begins again"] == said.decode().splitlines()


def _questions(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    rows = [{"id": f"q{n}", "context": f"It froze in {n}.", "question": "When?"} for n in range(200)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
