"""Signals from the first moment on: while a command imports, and as PID 1, which ignores what it does not handle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.processes import PATIENCE_S

#: Stands for a heavy import: says that it has begun, and does not end. It computes: a signal that comes just before
#: `signal.pause()` would be heard by no line of Python.
_SLOW = "import sys\nsys.stderr.write('importing\\n')\nsys.stderr.flush()\nwhile True:\n    pass\n"
#: The same, after a hangup that comes from itself.
_HUNG_UP = "import os, signal\nos.kill(os.getpid(), signal.SIGHUP)\n" + _SLOW


def stopped(
    folder: Path, *arguments: str, prefix: tuple[str, ...] = (), number: signal.Signals = signal.SIGTERM
) -> int:
    """Exit status of a command that is told to stop while it imports `folder`'s module in place of the real one."""
    with subprocess.Popen(
        [*prefix, sys.executable, "-m", "spanserve", *arguments],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            assert "importing\n" == process.stderr.readline()
            pid = process.pid
            if prefix:  # the command is the child of what made the namespace
                pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
            os.kill(pid, number)
            return process.wait(PATIENCE_S)
        finally:
            process.kill()


@pytest.mark.parametrize("module", ["typer", "grpc"])
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        pytest.param(("worker",), 0, id="worker"),
        pytest.param(("up",), 0, id="up"),
        pytest.param(("ask", "-c", "text", "Who?"), 143, id="ask"),
    ],
)
def test_while_importing(tmp_path: Path, module: str, arguments: tuple[str, ...], status: int) -> None:
    """What serves ends well, for it has nothing to finish; other commands end as by the signal."""
    (tmp_path / f"{module}.py").write_text(_SLOW)
    assert status == stopped(tmp_path, *arguments)


@pytest.mark.parametrize(("command", "status"), [("worker", 0), ("ask", 129)])
def test_hangup(tmp_path: Path, command: str, status: int) -> None:
    """A terminal that is closed ends a command like SIGTERM."""
    (tmp_path / "typer.py").write_text(_SLOW)
    assert status == stopped(tmp_path, command, number=signal.SIGHUP)


@pytest.mark.parametrize(("command", "prefix"), [("worker", ("nohup",)), ("up", ())])
def test_hangup_unheard(tmp_path: Path, command: str, prefix: tuple[str, ...]) -> None:
    """After nohup, and for `up`, to which it means a new bundle, it ends nothing; SIGTERM does."""
    (tmp_path / "typer.py").write_text(_HUNG_UP)
    with subprocess.Popen(
        [*prefix, sys.executable, "-m", "spanserve", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "importing\n" == process.stderr.readline()
        process.terminate()
        assert 0 == process.wait(PATIENCE_S)


def test_as_the_first_process(tmp_path: Path) -> None:
    """PID 1 of a container hears it too."""
    prefix = ("unshare", "--user", "--map-root-user", "--pid", "--fork")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine makes no namespaces")
    (tmp_path / "typer.py").write_text(_SLOW)
    assert 0 == stopped(tmp_path, "worker", prefix=prefix)
