"""A kind of device from outside: an abacus. A package would bring these two files, and an entry point that names it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spanserve.bundle import Manifest
from spanserve.device import DeviceError, DeviceKind, DeviceSpec
from spanserve.device.host.cards import Card
from spanserve.device.kind import Tensors
from spanserve.doctor.examination import Examination
from spanserve.doctor.finding import Finding, ok

#: Rows of beads that an abacus has.
MAX_ROWS = 13


def _check(spec: DeviceSpec) -> None:
    if spec.options.get("rows", 1) > MAX_ROWS:
        raise DeviceError(f"device {spec.text!r}: rows is {spec.options['rows']:g}, at most {MAX_ROWS}")


def counted(inputs: Tensors) -> Tensors:
    """What an abacus gives: digits of the token ids."""
    ids = inputs["input_ids"].astype(np.int64)
    return {
        "start_logits": (ids * 31 % 97).astype(np.float32) / 8,
        "end_logits": (ids * 17 % 89).astype(np.float32) / 8,
    }


def look(examination: Examination, spec: DeviceSpec, manifest: Manifest | None) -> Iterator[Finding]:
    """Count the beads."""
    yield ok("beads", f"all {MAX_ROWS * 10} on abacus {spec.unit}")


ABACUS = DeviceKind(
    name="abacus",
    pattern=r"abacus:(?P<unit>\d{1,2})",
    usage=("abacus:N",),
    backend=f"{Path(__file__).with_name('abacus_backend.py')}:AbacusBackend",
    targets=frozenset({"abacus"}),
    standard="abacus:0",
    numbers=frozenset({"rows"}),
    check=_check,
    compiled_batch=True,
    whole_grid=True,
    most_slots=3,
    rule=counted,
    shared=False,
    looks=("tests.kit.abacus:look",),
    figures={"soroban": {"fp8": Card(1, (1, 8), (200.0, 1000.0))}},
)


def installed(folder: Path) -> dict[str, str]:
    """Variables for processes that have a package with this kind, as `pip install` would leave it in a folder."""
    metadata = folder / "abacus-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[spanserve.device_kinds]\nabacus = tests.kit.abacus:ABACUS\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
