"""Runtimes report to nobody that they are used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.device import Device
from spanserve.doctor.finding import Verdict
from spanserve.doctor.runtime import check_runtime
from tests.kit.builtin import builtin_bundle


def test_host(tmp_path: Path, open_device: Callable[..., Device]) -> None:
    """A host loads OpenVINO without its telemetry, which would first write a client id below the home directory."""
    device = open_device(
        "cpu?threads=1", bundle=builtin_bundle(), environment={"HOME": str(tmp_path)}, max_batch=1
    )
    device.start()
    assert [] == list(tmp_path.iterdir())


def test_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So does the doctor."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Verdict.OK is check_runtime(None).verdict
    assert [] == list(tmp_path.iterdir())
