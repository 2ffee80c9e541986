"""What every device must do, whatever runs its batches: one suite over all backends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spanserve.bundle import Bundle
from spanserve.device import BatchFailed, Device, DeviceError, DeviceSpec, HostDied, Slot, host_monitor
from spanserve.device import handle as handle_module
from spanserve.device.process import HostProcess
from tests.kit.builtin import builtin_bundle
from tests.kit.devices import BAD, Ints, Log, rings
from tests.kit.emulated import PYTHON, VOCAB_SIZE, emulator_environment, make_mlu_bundle
from tests.kit.processes import PATIENCE_S

#: Batch and length of batches; lengths as the worker pads them.
SHAPES = ((1, 16), (3, 64), (4, 80), (2, 128), (4, 128))


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of device."""

    bundle: Bundle
    spec: str
    #: For `Device`.
    arguments: dict[str, Any] = field(default_factory=dict)
    #: A device name whose host refuses a batch with this id in it; None: this runtime refuses none.
    bad: tuple[str, int] | None = None


@pytest.fixture(scope="module")
def mlu_bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """Dynamic, static, and static with one graph for each of three lengths."""
    folder = tmp_path_factory.mktemp("mlu")
    return {
        "dynamic": make_mlu_bundle(folder / "dynamic", lengths=(128,), max_batch_size=4),
        "static": make_mlu_bundle(folder / "static", dynamic=False, lengths=(128,), max_batch_size=4),
        "buckets": make_mlu_bundle(
            folder / "buckets", dynamic=False, lengths=(32, 64, 128), max_batch_size=4
        ),
    }


@pytest.fixture(params=["cpu", "sim", "mlu-dynamic", "mlu-static", "mlu-buckets"])
def subject(request: pytest.FixtureRequest, sim_bundle: Bundle, mlu_bundles: dict[str, Bundle]) -> Subject:
    """Every kind of device."""
    if request.param == "cpu":
        return Subject(builtin_bundle(), "cpu?threads=1", {"max_batch": 4})
    if request.param == "sim":
        return Subject(sim_bundle, "sim:fixed", {"max_batch": 4}, (f"sim:fixed?fail_id={BAD}", BAD))
    bundle = mlu_bundles[request.param.partition("-")[2]]
    return Subject(
        bundle, "mlu:0", {"python": PYTHON, "environment": emulator_environment()}, ("mlu:0", VOCAB_SIZE)
    )


@pytest.fixture
def device(subject: Subject, open_device: Callable[..., Device]) -> Device:
    """A device that runs."""
    device = open_device(subject.spec, bundle=subject.bundle, **subject.arguments)
    device.start()
    return device


def batch(rows: int, length: int, seed: int = 0) -> dict[str, Ints]:
    """Inputs of windows that end anywhere; every model here knows the ids."""
    chance = np.random.default_rng(seed)
    ids = chance.integers(1000, BAD, (rows, length)).astype(np.int32)
    ends = chance.integers(length // 2, length + 1, (rows, 1))
    mask = (np.arange(length) < ends).astype(np.int32)
    types = np.where(np.arange(length) > length // 4, mask, 0).astype(np.int32)
    return {"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": types}


def rows_of(inputs: dict[str, Ints], rows: Any) -> dict[str, Ints]:
    """Some rows of a batch."""
    return {name: array[rows] for name, array in inputs.items()}


def fill(device: Device, inputs: dict[str, Ints]) -> Slot:
    """A slot with a batch in it."""
    slot = device.acquire()
    assert slot is not None
    for name, area in slot.arrays(*inputs["input_ids"].shape).inputs.items():
        area[:] = inputs[name]
    return slot


def logits(device: Device, inputs: dict[str, Ints]) -> list[list[list[float]]]:
    """Start and end logits of a batch, [2, B, S]."""
    return [array.tolist() for array in device.compute(inputs).values()]


def test_rows_are_independent(device: Device) -> None:
    """A row's logits are bit for bit the same alone, in any batch, and at any place in it."""
    for rows, length in SHAPES:
        inputs = batch(rows, length, seed=length)
        together = logits(device, inputs)
        for row in range(rows):
            alone = logits(device, rows_of(inputs, [row]))
            assert [[side[row]] for side in together] == alone
        order = np.arange(rows)[::-1]
        turned = logits(device, rows_of(inputs, order))
        assert [side[::-1] for side in together] == turned


def test_two_in_flight(device: Device) -> None:
    """Two batches that are with the device together get the logits that each gets alone."""
    expected = [logits(device, batch(4, 64, seed)) for seed in (1, 2)]
    for _ in range(3):
        slots = [fill(device, batch(4, 64, seed)) for seed in (1, 2)]
        assert device.acquire() is None
        for future in [slot.submit(4, 64, PATIENCE_S) for slot in slots]:
            assert 0 < future.result(PATIENCE_S)
        found = []
        for slot in slots:
            found.append([array.tolist() for array in slot.arrays(4, 64).outputs.values()])
            slot.release()
        assert expected == found


def test_largest(subject: Subject, device: Device) -> None:
    """A batch over the largest is refused before it is sent, and its slot is free again."""
    longest = subject.bundle.manifest.max_seq_length
    for rows, length in ((5, 16), (1, longest + 16)):
        with pytest.raises(ValueError, match="does not fit"):
            device.compute(batch(rows, length))
    outputs = device.compute(batch(4, longest))
    assert {"start_logits": (4, longest), "end_logits": (4, longest)} == {
        name: array.shape for name, array in outputs.items()
    }


def test_refused_batch(subject: Subject, open_device: Callable[..., Device], log: Log) -> None:
    """A batch that the runtime refuses fails alone: the same host computes the next one."""
    if subject.bad is None:
        pytest.skip("this runtime refuses no batch that fits a slot")
    spec, token = subject.bad
    device = open_device(spec, bundle=subject.bundle, **subject.arguments)
    device.start()
    pid, expected = device.host_pid, logits(device, batch(2, 32))
    inputs = batch(2, 32)
    inputs["input_ids"][1, 3] = token
    with pytest.raises(BatchFailed, match=str(token)):
        device.compute(inputs)
    assert expected == logits(device, batch(2, 32))
    assert pid == device.host_pid
    assert not log.died.is_set()


def pending(device: Device) -> Future[float]:
    """A batch that is with a host that has been halted."""
    assert device.host_pid is not None
    os.kill(device.host_pid, signal.SIGSTOP)
    return fill(device, batch(2, 32)).submit(2, 32, PATIENCE_S)


def test_abort(device: Device, log: Log) -> None:
    """A host that dies of a fault of its own fails its batches; the next host gives the same logits."""
    expected, future = logits(device, batch(4, 32)), pending(device)
    assert device.host_pid is not None
    os.kill(device.host_pid, signal.SIGABRT)
    os.kill(device.host_pid, signal.SIGCONT)
    assert isinstance(future.exception(PATIENCE_S), HostDied)
    assert [{"reason": "signal SIGABRT", "batches": 1}] == log.facts("device host died")
    device.start()
    assert expected == logits(device, batch(4, 32))


def test_hang(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that stands still is killed by the watchdog; the next host gives the same logits."""
    expected = logits(device, batch(4, 32))
    monkeypatch.setattr(host_monitor, "SILENCE_TIMEOUT_S", 1.5)
    died = pending(device).exception(PATIENCE_S)
    assert isinstance(died, HostDied)
    monkeypatch.undo()
    assert "no sign of life for 1.5 s" in str(died)
    device.start()
    assert expected == logits(device, batch(4, 32))


def test_restart(device: Device) -> None:
    """Another host, in another process, gives the same logits."""
    expected, pid = logits(device, batch(4, 32)), device.host_pid
    device.stop()
    assert device.host_pid is None
    device.start()
    assert expected == logits(device, batch(4, 32))
    assert pid != device.host_pid
    assert 2 == device.starts


def test_killed_while_it_starts(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that is killed before it is up is an error in words; no process and no shared memory is left."""
    before = rings()
    device = Device(subject.bundle, DeviceSpec.parse(subject.spec), **subject.arguments)

    class Doomed(HostProcess):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.kill()

    with monkeypatch.context() as patch:
        patch.setattr(handle_module, "HostProcess", Doomed)
        with pytest.raises(DeviceError, match="signal SIGKILL"):
            device.start()
    assert device.host_pid is None
    device.start()
    logits(device, batch(1, 16))
    host = Path(f"/proc/{device.host_pid}")
    assert host.exists()
    device.close()
    assert not host.exists()
    del device
    assert before == rings()
