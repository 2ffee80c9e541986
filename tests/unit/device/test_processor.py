"""What a processor computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.device.processor import lacks


@pytest.mark.parametrize(
    ("cpuinfo", "precision", "lacking"),
    [
        pytest.param("flags : avx2 avx512_bf16", "bfloat16", False, id="avx512"),
        pytest.param("flags : avx2 amx_bf16", "int8_mixed_bfloat16", False, id="amx"),
        pytest.param("Features : asimd bf16", "bfloat16", False, id="arm"),
        pytest.param("flags : avx2 avx512_vnni", "bfloat16", True, id="without"),
        pytest.param("flags : avx2 avx512_vnni", "int8_mixed_bfloat16", True, id="float-parts-without"),
        pytest.param("flags : avx2 avx512_vnni", "int8", False, id="int8"),
        pytest.param("flags : sse2", "float32", False, id="float32"),
        pytest.param("", "bfloat16", False, id="untold"),
    ],
)
def test_lacks(tmp_path: Path, cpuinfo: str, precision: str, lacking: bool) -> None:
    """bfloat16 needs its arithmetic, for float parts too; where the system tells nothing, nothing is judged."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(f"processor : 0\n{cpuinfo}\n")
    assert lacking == bool(lacks(precision, tmp_path))
