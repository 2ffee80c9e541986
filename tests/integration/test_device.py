"""A device handle with a real host process: it computes, fails, dies and comes back."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spanserve.bundle import Bundle
from spanserve.device import BatchFailed, Device, DeviceError, HostDied, Slot, host_monitor
from spanserve.device import handle as handle_module
from spanserve.device.host.simulated import logits
from spanserve.device.process import HostProcess
from tests.kit.devices import BAD, Ints, Log, batch, compute, fill, wait_gone, whole
from tests.kit.processes import PATIENCE_S

OpenDevice = Callable[..., Device]


def acquire(device: Device, ids: Ints) -> Slot:
    """A slot, filled."""
    slot = device.acquire()
    assert slot is not None
    fill(slot, ids)
    return slot


def test_compute(open_device: OpenDevice, log: Log) -> None:
    """Logits come back bit for bit, for batches of any shape up to the largest, and with their time."""
    device = open_device("sim:fixed?latency_ms=5")
    device.start()
    for shape in ((1, 1), (2, 16), (3, 383), (16, 384)):
        compute(device, batch(*shape))
    seconds = device.timed(whole(batch()))[0]
    assert 0.005 <= seconds < PATIENCE_S
    assert ("simulated", 1) == (device.info["runtime"], device.starts)
    assert [] == log.records


def test_too_large_a_batch(open_device: OpenDevice) -> None:
    """A batch that does not fit a slot is refused on this side; the slot is free again."""
    device = open_device()
    device.start()
    for shape in ((17, 16), (1, 385)):
        with pytest.raises(ValueError, match="does not fit"):
            device.compute(whole(batch(*shape)))
    compute(device, batch())


def test_slots(open_device: OpenDevice) -> None:
    """There are as many slots as batches in flight; a released one can be had again."""
    device = open_device()
    device.start()
    slots = [acquire(device, batch(seed=seed)) for seed in range(2)]
    assert {0, 1} == {slot.index for slot in slots}
    assert device.acquire() is None
    with pytest.raises(DeviceError, match="every slot of sim:fixed is in use"):
        device.compute(whole(batch()))
    for slot, future in [(slot, slot.submit(2, 16, PATIENCE_S)) for slot in slots]:
        future.result(PATIENCE_S)
        arrays = slot.arrays(2, 16)
        assert logits(arrays.inputs["input_ids"])[0].tolist() == arrays.outputs["start_logits"].tolist()
        slot.release()
    assert device.acquire() is not None


def test_two_in_flight(open_device: OpenDevice) -> None:
    """A batch runs while another one does, and is done before it."""
    device = open_device(f"sim:fixed?hang_id={BAD}")
    device.start()
    slow, fast = acquire(device, batch(bad=True)), acquire(device, batch(seed=1))
    hanging = slow.submit(2, 16, PATIENCE_S)
    fast.submit(2, 16, PATIENCE_S).result(PATIENCE_S)
    arrays = fast.arrays(2, 16)
    assert logits(batch(seed=1))[0].tolist() == arrays.outputs["start_logits"].tolist()
    assert not hanging.done()
    device.stop()
    assert isinstance(died := hanging.exception(PATIENCE_S), HostDied)
    assert died.ran


def test_failed_batch(open_device: OpenDevice, log: Log) -> None:
    """A batch that the runtime refuses fails alone; the host lives and the next batch works."""
    device = open_device(f"sim:fixed?fail_id={BAD}")
    device.start()
    pid = device.host_pid
    with pytest.raises(BatchFailed, match=rf"RuntimeError: told to fail on token id {BAD}"):
        device.compute(whole(batch(bad=True)))
    compute(device, batch())
    assert pid == device.host_pid
    assert not log.died.is_set()


def test_host_aborts(open_device: OpenDevice, log: Log) -> None:
    """A batch that kills the host is told so; the same slots work with a new host."""
    device = open_device(f"sim:fixed?abort_id={BAD}")
    device.start()
    pid = device.host_pid
    slot = acquire(device, batch(bad=True))
    died = slot.submit(2, 16, PATIENCE_S).exception(PATIENCE_S)
    assert isinstance(died, HostDied)
    assert died.ran
    assert "device host of sim:fixed" in str(died)
    assert "ended (signal SIGABRT)" in str(died)
    assert [{"reason": "signal SIGABRT", "batches": 1}] == log.facts("device host died")
    # No host: a batch is refused at once, and is not what killed it.
    late = slot.submit(2, 16, PATIENCE_S).exception(0)
    assert isinstance(late, HostDied)
    assert not late.ran
    assert device.host_pid is None
    device.start()
    arrays = slot.arrays(2, 16)
    arrays.inputs["input_ids"][:] = batch(seed=3)
    slot.submit(2, 16, PATIENCE_S).result(PATIENCE_S)
    assert logits(batch(seed=3))[0].tolist() == arrays.outputs["start_logits"].tolist()
    slot.release()
    compute(device, batch())
    assert 2 == device.starts
    assert device.host_pid not in (None, pid)


def test_which_batch_ran(open_device: OpenDevice) -> None:
    """When a host dies, every batch that was running may be the culprit; one that was done is not."""
    device = open_device(f"sim:fixed?abort_id={BAD}&hang_id={BAD + 1}")
    device.start()
    beside = acquire(device, np.full((2, 16), BAD + 1, np.int32)).submit(2, 16, PATIENCE_S)
    slot = acquire(device, batch())
    done = slot.submit(2, 16, PATIENCE_S)  # commands are taken in order: when it is done the other one runs
    done.result(PATIENCE_S)
    slot.release()
    culprit = acquire(device, batch(bad=True)).submit(2, 16, PATIENCE_S)
    errors = [future.exception(PATIENCE_S) for future in (beside, culprit, done)]
    assert [True, True, None] == [error.ran if isinstance(error, HostDied) else None for error in errors]


def test_hanging_batch(open_device: OpenDevice, log: Log) -> None:
    """A batch over its time has its host killed, and the message says why."""
    device = open_device(f"sim:fixed?hang_id={BAD}")
    device.start()
    died = acquire(device, batch(bad=True)).submit(2, 16, 0.2).exception(PATIENCE_S)
    assert isinstance(died, HostDied)
    assert died.ran
    assert "a batch ran longer than 0.2 s" in str(died)
    assert ["a batch ran longer than 0.2 s"] == [facts["reason"] for facts in log.facts("device host died")]


def test_silent_host(open_device: OpenDevice, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without a sign of life is killed, though no batch is with it."""
    monkeypatch.setattr(host_monitor, "SILENCE_TIMEOUT_S", 1.5)
    device = open_device()
    device.start()
    assert device.host_pid is not None
    os.kill(device.host_pid, signal.SIGSTOP)
    assert log.died.wait(PATIENCE_S)
    assert [{"reason": "no sign of life for 1.5 s", "batches": 0}] == log.facts("device host died")


def test_killed_while_idle(open_device: OpenDevice, log: Log) -> None:
    """An idle host that is killed is noticed; another one can be started."""
    device = open_device()
    device.start()
    assert device.host_pid is not None
    os.kill(device.host_pid, signal.SIGKILL)
    assert log.died.wait(PATIENCE_S)
    assert [{"reason": "signal SIGKILL", "batches": 0}] == log.facts("device host died")
    with pytest.raises(HostDied, match="not running"):
        device.compute(whole(batch()))
    device.start()
    compute(device, batch())


def test_interrupt_is_not_for_the_host(open_device: OpenDevice) -> None:
    """Ctrl-C reaches the worker only: the host is in a session of its own, and ignores SIGINT besides."""
    device = open_device()
    device.start()
    assert device.host_pid is not None
    assert device.host_pid == os.getsid(device.host_pid)
    os.kill(device.host_pid, signal.SIGINT)
    compute(device, batch())


def test_worker_killed(sim_bundle: Bundle) -> None:
    """However the worker dies, its host goes with it."""
    program = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from spanserve.bundle import Bundle\n"
        "from spanserve.device import Device, DeviceSpec\n"
        "device = Device(Bundle.open(Path(sys.argv[1])), DeviceSpec.parse('sim:fixed'))\n"
        "device.start()\n"
        "print(device.host_pid, flush=True)\n"
        "threading.Event().wait()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(sim_bundle.path)], stdout=subprocess.PIPE, env=environment
    ) as worker:
        assert worker.stdout is not None
        host = os.pidfd_open(int(worker.stdout.readline()))
        worker.kill()
    wait_gone(host)


def test_stop(open_device: OpenDevice, log: Log) -> None:
    """Stop ends the host and is no death; it may come before a start, twice, and before another start."""
    device = open_device()
    device.stop()
    for starts in (1, 2):
        device.start()
        compute(device, batch())
        device.stop()
        device.stop()
        assert device.host_pid is None
        assert starts == device.starts
    device.close()
    device.close()
    assert [] == log.records


def test_stop_while_it_starts(open_device: OpenDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop that comes before there is a process ends the start all the same."""
    device = open_device()
    stopper = threading.Thread(target=device.stop)

    class Slow(HostProcess):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            stopper.start()
            stopper.join(0.2)  # it waits for this very start: it cannot end before it
            super().__init__(*arguments, **named)

    monkeypatch.setattr(handle_module, "HostProcess", Slow)
    with pytest.raises(DeviceError, match="signal SIGKILL"):
        device.start()
    stopper.join(PATIENCE_S)
    assert not stopper.is_alive()
    assert device.host_pid is None


def test_no_descriptor_is_left(open_device: OpenDevice, log: Log) -> None:
    """Twenty hosts, stopped or killed, leave no descriptor behind; a closed device leaves none."""

    def descriptors() -> int:
        gc.collect()  # the memory of a device goes with its last view
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    device = open_device()
    device.start()
    device.stop()
    idle = descriptors()
    for round_ in range(20):
        device.start()
        if round_ % 2:
            assert device.host_pid is not None
            log.died.clear()
            os.kill(device.host_pid, signal.SIGKILL)
            assert log.died.wait(PATIENCE_S)
        device.stop()
    assert idle == descriptors()
    assert before <= idle <= before + 2  # the ring, and its mapping
    device.close()
    assert idle - 1 == descriptors()


def test_fewer_slots(open_device: Callable[..., Device]) -> None:
    """A device that is told to use fewer slots has these, and so has its next host; it can have the others back."""
    device = open_device("sim:mlu370-x8", slots=3)
    device.start()
    for count in (1, 3, 1):
        device.use_slots(count)
        assert count == device.slots
        held = [acquire(device, batch(seed=seed)) for seed in range(count)]
        assert device.acquire() is None
        for slot in held:
            slot.release()
    device.start()
    assert 1 == device.info["lanes"]
    compute(device, batch())
