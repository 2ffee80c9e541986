"""The device host under a real CPython 3.7, the Python of the MagicMind SDK."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from spanserve.bundle import Bundle
from spanserve.device import Device, DeviceError, DeviceSpec, HostDied
from spanserve.device.host.simulated import logits

#: The last numpy for 3.7, and the one the SDK is used with.
NUMPY = "numpy==1.21.6"


def runs(python: str) -> bool:
    """Whether it is a 3.7 that works: on PATH there may be a shim that only knows what it would start."""
    program = "import sys; print(sys.version_info[:2] == (3, 7))"
    try:
        done = subprocess.run([python, "-c", program], capture_output=True, timeout=60, check=False)
    except OSError:
        return False
    return done.stdout.strip() == b"True"


@pytest.fixture(scope="session")
def python37(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python 3.7 with numpy, made once and kept with pytest's cache."""
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("python37") if cache else tmp_path_factory.mktemp("python37")
    venv = folder / "venv"
    python = str(venv / "bin/python")
    if runs(python) and subprocess.run([python, "-c", "import numpy"], check=False).returncode == 0:
        return python
    candidates = sorted(map(str, Path.home().glob(".pyenv/versions/3.7*/bin/python")))
    if on_path := shutil.which("python3.7"):
        candidates.append(on_path)
    found = next(filter(runs, candidates), None)
    if found is None:
        pytest.skip("there is no Python 3.7")
    steps = (
        [found, "-m", "venv", "--clear", str(venv)],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NUMPY],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, timeout=240, check=False)
        if done.returncode:
            pytest.skip(f"{NUMPY} cannot be installed for Python 3.7: {done.stderr.strip()[-200:]}")
    return python


@pytest.fixture
def spoken() -> list[str]:
    """Lines the host printed."""
    return []


def open_device(bundle: Bundle, python: str, spoken: list[str], spec: str = "sim:fixed") -> Device:
    def log(event: str, **facts: object) -> None:
        if event == "device host says":
            spoken.append(str(facts["line"]))

    return Device(bundle, DeviceSpec.parse(spec), python=python, log=log)


def test_computes(sim_bundle: Bundle, python37: str, spoken: list[str]) -> None:
    """The same logits come from 3.7 and numpy 1.21 as from here, and nothing is printed on the way."""
    device = open_device(sim_bundle, python37, spoken)
    device.start()
    try:
        executable = Path(f"/proc/{device.host_pid}/exe").resolve()
        assert "python3.7" == executable.name
        for rows, length in ((1, 16), (16, 384)):
            ids = np.random.default_rng(rows).integers(0, 30_000, (rows, length)).astype(np.int32)
            start, end = device.compute(ids, np.ones_like(ids), np.zeros_like(ids))
            expected = logits(ids)
            assert expected[0].tolist() == start.tolist()
            assert expected[1].tolist() == end.tolist()
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
            device.compute(ids, ids, ids)
        assert caught.value.ran
        device.start()
        device.compute(ids + 1, ids, ids)
    finally:
        device.close()


def test_runtime_it_lacks(sim_bundle: Bundle, python37: str, spoken: list[str]) -> None:
    """A backend whose runtime this Python does not have ends the start with the runtime's name."""
    device = open_device(sim_bundle, python37, spoken, "cpu")
    try:
        with pytest.raises(DeviceError, match="No module named 'openvino'"):
            device.start()
    finally:
        device.close()
