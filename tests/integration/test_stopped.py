"""Commands that are told to stop: nothing that they started or made is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.kit.ports import free_ports
from tests.kit.waiting import eventually

#: Command -> exit status.
COMMANDS = {
    "ask": (("ask", "-c", "The harbour froze in 1871.", "When did the harbour freeze?"), 143),
    "eval": (("eval", "-o", "out"), 143),
    "up": (("up", "--devices", "sim:fixed", "--drain-delay", "0"), 0),
}


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files; its path is short enough for sockets below it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def start(work: Path, temporary: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "spanserve.cli", *arguments],
        cwd=work,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(temporary)},
    )


def folders(temporary: Path) -> list[Path]:
    return list(temporary.glob("spanserve-*"))


@pytest.mark.parametrize("further", [0, 1], ids=["at-once", "with-its-host"])
@pytest.mark.parametrize("name", COMMANDS)
async def test_stopped(tmp_path: Path, temporary: Path, name: str, further: int) -> None:
    """SIGTERM, before or after its worker has started the device host: no process is left, and no folder."""
    arguments, status = COMMANDS[name]
    if name == "up":
        arguments += ("--listen", f"127.0.0.1:{free_ports(1)}")
    process = start(tmp_path, temporary, *arguments)
    command = psutil.Process(process.pid)
    try:
        await eventually(lambda: len(command.children(recursive=True)) > further)
        assert 1 == len(folders(temporary))
        children = command.children(recursive=True)
        process.send_signal(signal.SIGTERM)
        await eventually(lambda: process.poll() is not None)
    finally:
        process.kill()
        process.wait()
    assert status == process.returncode
    await eventually(lambda: not any(child.is_running() for child in children))
    assert [] == folders(temporary)
