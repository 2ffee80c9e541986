"""Commands that are told to stop: nothing that they started or made is left behind."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.kit.ports import free_ports
from tests.kit.waiting import eventually

ASK = ("ask", "-c", "The harbour froze in 1871.", "When did the harbour freeze?")
UP = ("up", "--devices", "sim:fixed", "--drain-delay", "0")
#: Command, signal -> exit status.
CASES = {
    "ask": (ASK, signal.SIGTERM, 143),
    "ask-hangup": (ASK, signal.SIGHUP, 129),
    "eval": (("eval", "-o", "out"), signal.SIGTERM, 143),
    "up": (UP, signal.SIGTERM, 0),
}


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files; its path is short enough for sockets below it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def start(work: Path, temporary: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "spanserve", *arguments],
        cwd=work,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(temporary)},
    )


def folders(temporary: Path) -> list[Path]:
    return list(temporary.glob("spanserve-*"))


@pytest.mark.parametrize("further", [0, 1], ids=["at-once", "with-its-host"])
@pytest.mark.parametrize("name", CASES)
async def test_stopped(tmp_path: Path, temporary: Path, name: str, further: int) -> None:
    """Before or after its worker has started the device host: no process is left, and no folder."""
    arguments, number, status = CASES[name]
    if name == "up":
        arguments += ("--listen", f"127.0.0.1:{free_ports(1)}")
    process = start(tmp_path, temporary, *arguments)
    command = psutil.Process(process.pid)
    try:
        await eventually(lambda: len(command.children(recursive=True)) > further)
        assert 1 == len(folders(temporary))
        children = command.children(recursive=True)
        process.send_signal(number)
        await eventually(lambda: process.poll() is not None)
    finally:
        process.kill()
        process.wait()
    assert status == process.returncode
    await eventually(lambda: not any(child.is_running() for child in children))
    assert [] == folders(temporary)


def test_closed_terminal(tmp_path: Path) -> None:
    """A worker whose terminal is closed drains: nothing that it says reaches anybody, and its status is 0."""
    parent, terminal = os.openpty()
    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "spanserve", "worker", "--device", "sim:fixed", "--drain-delay", "0"),
            *("--listen", f"unix:{tmp_path}/worker.sock"),
        ],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that closing it is told
    )
    os.close(terminal)
    try:
        said = b""
        while b"threads_reason" not in said:  # of the line `ready`
            said += os.read(parent, 4096)
        host = psutil.Process(worker.pid).children()
        assert 1 == len(host)
        os.close(parent)
        assert 0 == worker.wait(60)
        assert [] == psutil.wait_procs(host, 60)[1]
    finally:
        worker.kill()
        worker.wait()
