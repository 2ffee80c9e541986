"""Starting a device: a host that does not come up says why, and leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.device import Device, DeviceError
from spanserve.device import handle as handle_module
from tests.kit.devices import Log, batch, compute

OpenDevice = Callable[..., Device]


@pytest.fixture
def interpreter(tmp_path: Path) -> Callable[[str], str]:
    """Makes a program to be started in place of Python."""

    def make(script: str) -> str:
        path = tmp_path / "python"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return str(path)

    return make


def test_last_words(open_device: OpenDevice, log: Log, interpreter: Callable[[str], str]) -> None:
    """What a host printed before its end is in the message, its last line even without an end of line."""
    device = open_device(
        python=interpreter("echo out; echo 'driver: card lost' >&2; printf 'giving up'; exit 3")
    )
    with pytest.raises(DeviceError) as caught:
        device.start()
    expected = (
        "device host of sim:fixed ended (exit status 3); it printed last: out | driver: card lost | giving up"
    )
    assert expected == str(caught.value)
    lines = [facts["line"] for facts in log.facts("device host says")]
    assert ["out", "driver: card lost", "giving up"] == lines


def test_portable_python(open_device: OpenDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device needs no call that a Python built against an old glibc and old kernel headers is without."""
    for name in ("memfd_create", "MFD_CLOEXEC", "pidfd_open"):
        monkeypatch.delattr(os, name)
    device = open_device()
    device.start()
    compute(device, batch())


def test_many_last_words(open_device: OpenDevice, interpreter: Callable[[str], str]) -> None:
    """Of a long output the last 20 lines are in the message; bytes that are not text do no harm."""
    device = open_device(python=interpreter(r"seq 30; printf '\377\n'; exit 1"))
    with pytest.raises(DeviceError) as caught:
        device.start()
    expected = " | ".join([*map(str, range(12, 31)), "\ufffd"])
    assert str(caught.value).endswith("it printed last: " + expected)


def test_interpreter_that_is_not_there(open_device: OpenDevice) -> None:
    """A Python that cannot be started is an error in words."""
    device = open_device(python="/nowhere/python3.7")
    with pytest.raises(
        DeviceError, match=r"cannot be started: .*No such file or directory: '/nowhere/python3\.7'"
    ):
        device.start()
    assert device.host_pid is None


def test_start_takes_too_long(
    open_device: OpenDevice, interpreter: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that does not come up in time is killed."""
    monkeypatch.setattr(handle_module, "START_TIMEOUT_S", 0.3)
    device = open_device(python=interpreter("exec sleep 600"))
    with pytest.raises(DeviceError, match="the model was not loaded in time"):
        device.start()


def test_graph_that_is_none(open_device: OpenDevice, log: Log) -> None:
    """A graph that the runtime cannot read is an error with the runtime's reason; no process is left."""
    device = open_device("cpu?threads=1")
    with pytest.raises(DeviceError, match=r"device host of cpu\?threads=1 ended \(.+\)") as caught:
        device.start()
    assert "RuntimeError: Exception from" in str(caught.value)
    assert "Unable to read the model" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert device.host_pid is None
    assert [0] == [facts["batches"] for facts in log.facts("device host died")]


def test_threads(open_device: OpenDevice) -> None:
    """Threads are those of the name, else those this process has; the reason is kept."""
    assert "as given" == open_device("cpu?threads=3").threads_reason
    assert "cpuset" in open_device("cpu").threads_reason


def test_environment(open_device: OpenDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's interpreter does not see our paths: a package there would load in place of its own."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    device = open_device()
    device.start()
    compute(device, batch())
