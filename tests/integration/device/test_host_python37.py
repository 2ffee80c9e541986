"""The device host under a real CPython 3.7, the Python of the MagicMind SDK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spanserve.bundle import Bundle, grid_of
from spanserve.device import Device, DeviceError, DeviceSpec, HostDied
from tests.kit.devices import batch, compute, whole
from tests.kit.emulated import PYTHON, RESULTS, emulator_environment, make_mlu_bundle
from tests.kit.networks import ROWS, Spans, exported


@pytest.fixture
def spoken() -> list[str]:
    """Lines the host printed."""
    return []


def open_device(
    bundle: Bundle, python: str, spoken: list[str], spec: str = "sim:fixed", **arguments: Any
) -> Device:
    def log(event: str, **facts: object) -> None:
        if event == "device host says":
            spoken.append(str(facts["line"]))

    return Device(bundle, DeviceSpec.parse(spec), python=python, log=log, **arguments)


def test_computes(sim_bundle: Bundle, python37: str, spoken: list[str]) -> None:
    """The same logits come from 3.7 and numpy 1.21 as from here, and nothing is printed on the way."""
    device = open_device(sim_bundle, python37, spoken)
    device.start()
    try:
        executable = Path(f"/proc/{device.host_pid}/exe").resolve()
        assert "python3.7" == executable.name
        for rows, length in ((1, 16), (16, 384)):
            ids = np.random.default_rng(rows).integers(0, 30_000, (rows, length)).astype(np.int32)
            compute(device, ids)
    finally:
        device.close()
    assert [] == spoken


def test_dies_and_comes_back(sim_bundle: Bundle, python37: str, spoken: list[str]) -> None:
    """Its death is noticed and another host takes its place."""
    device = open_device(sim_bundle, python37, spoken, "sim:fixed?abort_id=9")
    device.start()
    try:
        ids = np.full((2, 16), 9, np.int32)
        with pytest.raises(HostDied, match="SIGABRT") as caught:
            device.compute(whole(ids))
        assert caught.value.ran
        device.start()
        device.compute(whole(ids + 1))
    finally:
        device.close()


def test_runtime_it_lacks(sim_bundle: Bundle, python37: str, spoken: list[str]) -> None:
    """A backend whose runtime this Python does not have ends the start with what would bring it."""
    device = open_device(sim_bundle, python37, spoken, "cpu")
    try:
        with pytest.raises(
            DeviceError, match=r"the package openvino is not installed: pip install 'spanserve\[cpu\]'"
        ):
            device.start()
    finally:
        device.close()


@pytest.mark.parametrize("results", RESULTS)
@pytest.mark.parametrize("dynamic", [True, False], ids=["dynamic", "static"])
def test_emulated_card(tmp_path: Path, python37: str, spoken: list[str], dynamic: bool, results: str) -> None:
    """The MagicMind backend and the emulated SDK run on 3.7: the same logits, whatever shape and results."""
    bundle = make_mlu_bundle(tmp_path / "bundle", dynamic=dynamic, lengths=(128, 384))
    environment = emulator_environment(cards=2, results=results)
    device = open_device(bundle, python37, spoken, "mlu:1", environment=environment)
    device.start()
    try:
        assert ("magicmind", "1.7.0", 2) == tuple(device.info[key] for key in ("runtime", "version", "cards"))
        assert device.info["python"].startswith("3.7.")
        for shape in ((1, 16), (3, 130), (16, 384)):
            compute(device, batch(*shape))
    finally:
        device.close()
    assert [] == spoken


def test_emulated_card_fails(tmp_path: Path, python37: str, spoken: list[str]) -> None:
    """On 3.7 too an error at sync ends the host, with what can be done, and another host takes its place."""
    bundle = make_mlu_bundle(tmp_path / "bundle")
    started = 2 * (len(grid_of(bundle.manifest).shapes) + 1)
    environment = emulator_environment(fail=f"1/sync:100124@{started + 1}", lives=tmp_path)
    device = open_device(bundle, python37, spoken, "mlu:0", environment=environment)
    device.start()
    try:
        with pytest.raises(HostDied, match="does this bundle's tokenizer belong to its graph") as caught:
            compute(device, batch())
        assert caught.value.ran
        device.start()
        compute(device, batch())
    finally:
        device.close()


def test_onnx_on_an_emulated_card(
    tmp_path: Path, python37: str, python37_onnx: str, spoken: list[str]
) -> None:
    """A graph made of an ONNX file gives on 3.7 the logits it gives here; where nothing executes it, it says so."""
    bundle = make_mlu_bundle(tmp_path / "bundle", onnx=exported(Spans(), tmp_path / "model.onnx"))
    ids = np.random.default_rng(7).integers(5, ROWS, (3, 48)).astype(np.int32)
    found = []
    for python in (PYTHON, python37_onnx):
        device = open_device(bundle, python, spoken, "mlu:0", environment=emulator_environment())
        device.start()
        try:
            found.append(list(device.compute(whole(ids)).values()))
        finally:
            device.close()
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    bare = open_device(bundle, python37, spoken, "mlu:0", environment=emulator_environment())
    with pytest.raises(DeviceError, match="executed by onnxruntime or openvino, none is installed here"):
        bare.start()
    bare.close()
