"""Hosts that hardly end: what does not die when it is killed, what leaves processes behind, what does not come back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spanserve.device import Device, DeviceError, HostDied, Slot
from spanserve.device import handle as handle_module
from spanserve.device import process as process_module
from spanserve.device.process import HostProcess
from tests.kit.devices import BAD, Log, batch, compute, fill
from tests.kit.processes import PATIENCE_S

OpenDevice = Callable[..., Device]

#: Put into a host at its start: leaves a process behind that holds all that the host had open.
LEFT_BEHIND = """
import subprocess, sys
if sys.argv[0].endswith("host"):
    print("left", subprocess.Popen(["sleep", "600"], close_fds=False).pid, flush=True)
"""


def filled(device: Device) -> Slot:
    """A slot with a batch on which the device hangs."""
    slot = device.acquire()
    assert slot is not None
    fill(slot, batch(bad=True))
    return slot


@pytest.fixture
def immortal(open_device: OpenDevice, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hosts that no signal ends, as one that waits for a driver in the kernel; they do not end by themselves either."""
    killed: list[HostProcess] = []

    class Immortal(HostProcess):
        def kill(self) -> None:
            killed.append(self)
            self._process.send_signal(signal.SIGSTOP)
            self._killed_at = self._killed_at or 0.0

        def _has_ended(self) -> bool:
            pytest.fail("it has had its time to end")

    monkeypatch.setattr(process_module, "END_TIMEOUT_S", 0.2)
    monkeypatch.setattr(handle_module, "HostProcess", Immortal)
    yield
    for host in killed:
        host._process.kill()
        host._process.wait()


@pytest.mark.usefixtures("immortal")
def test_cannot_be_killed(open_device: OpenDevice, log: Log) -> None:
    """A host that even SIGKILL does not end is given up: its batch fails, and no other host is started beside it."""
    device = open_device(f"sim:fixed?hang_id={BAD}")
    device.start()
    died = filled(device).submit(2, 16, 0.2).exception(PATIENCE_S)
    assert isinstance(died, HostDied)
    assert died.ran
    (facts,) = log.facts("device host stuck")
    expected = f"process {facts['pid']} cannot be killed: it hangs in the driver of {device.spec.text}"
    assert f"(a batch ran longer than 0.2 s; {expected})" in str(died)
    with pytest.raises(DeviceError, match=expected.replace("?", r"\?")):
        device.start()
    assert device.host_pid is None


def test_leaves_a_process_behind(open_device: OpenDevice, log: Log, tmp_path: Path) -> None:
    """The end of a host is noticed at once, though a process that it has started holds its pipes open."""
    (tmp_path / "sitecustomize.py").write_text(LEFT_BEHIND)
    device = open_device(f"sim:fixed?abort_id={BAD}", environment={"PYTHONPATH": str(tmp_path)})
    device.start()
    log.wait_said("left ")
    try:
        died = filled(device).submit(2, 16, PATIENCE_S).exception(PATIENCE_S)
        assert isinstance(died, HostDied)
        assert "signal SIGABRT" in str(died)
        device.start()
        compute(device, batch())
    finally:
        for facts in log.facts("device host says"):
            word, _, pid = facts["line"].partition(" ")
            if word == "left":
                os.kill(int(pid), signal.SIGKILL)


def test_does_not_come_back_in_time(
    open_device: OpenDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that is started again has less time than the first one: tasks are waiting for it."""
    monkeypatch.setattr(handle_module, "RESTART_TIMEOUT_S", 0.5)
    monkeypatch.setattr(handle_module, "RESTART_FACTOR", 0.0)
    device = open_device(environment={"PYTHONPATH": str(tmp_path)})
    device.start()
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(600)")
    with pytest.raises(DeviceError, match="the model was not loaded in time"):
        device.start()
