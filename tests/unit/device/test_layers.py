"""The table of layers that a profile of the CPU is."""

from __future__ import annotations

import csv
from pathlib import Path

from spanserve.device.host.layers import Layer, write_layers


def test_mean(tmp_path: Path) -> None:
    """A layer has the mean of its batches and its share of all, and the longest comes first."""
    batches = [
        [Layer("norm", "MVN", "jit_f32", 0.001), Layer("dense", "MatMul", "brgemm_bf16", 0.002)],
        [Layer("norm", "MVN", "jit_f32", 0.001), Layer("dense", "MatMul", "brgemm_bf16", 0.004)],
    ]
    path = tmp_path / "new" / "layers.csv"
    write_layers(str(path), batches)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert [
        ["layer", "operator", "kernel", "ms", "share"],
        ["dense", "MatMul", "brgemm_bf16", "3.0000", "0.7500"],
        ["norm", "MVN", "jit_f32", "1.0000", "0.2500"],
    ] == rows
