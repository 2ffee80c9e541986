"""The processor's instructions against what a bundle computes with, by made-up /proc/cpuinfo."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from spanserve.doctor.processor import check_processor

NEW = "fpu avx avx2 avx512f avx512_vnni amx_bf16"
OLD = "fpu avx avx2"


def cpuinfo(root: Path, flags: str) -> Path:
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\n\n")
    return root


@pytest.mark.parametrize(
    ("flags", "precision", "verdict", "found"),
    [
        pytest.param(NEW, "int8", "ok", "avx2, avx512f, avx512_vnni, amx_bf16", id="all"),
        pytest.param(OLD, "float32", "ok", "avx2", id="float32"),
        pytest.param(OLD, "int8", "warning", "avx2", id="int8-without-vnni"),
        pytest.param(OLD, "bfloat16", "failed", "avx2", id="bfloat16-without"),
        pytest.param(OLD, "int8_mixed_bfloat16", "failed", "avx2", id="float-parts-without"),
        pytest.param(
            NEW, "int8_mixed_bfloat16", "ok", "avx2, avx512f, avx512_vnni, amx_bf16", id="float-parts"
        ),
        pytest.param("fpu sse2", "float32", "warning", "none of the relevant ones", id="no-avx2"),
    ],
)
def test_instructions(
    tmp_path: Path, sim_bundle: Bundle, flags: str, precision: str, verdict: str, found: str
) -> None:
    """What the precision of a bundle needs is looked for; bfloat16 without its arithmetic cannot work."""
    manifest = sim_bundle.manifest.model_copy(update={"precision": precision})
    finding = check_processor(cpuinfo(tmp_path, flags), manifest)[1]
    assert (verdict, found) == (finding.verdict.value, finding.found)
    assert (verdict == "ok") == (finding.advice == "")


def test_arm(tmp_path: Path, sim_bundle: Bundle) -> None:
    """ARM calls its list Features."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor : 0\nFeatures : fp asimd asimddp bf16\n")
    assert "asimd, asimddp, bf16" == check_processor(tmp_path, sim_bundle.manifest)[1].found


def test_for_a_card(tmp_path: Path) -> None:
    """Where a card computes, nothing is asked of the processor; how much of it there is, is told all the same."""
    threads, instructions = check_processor(cpuinfo(tmp_path, "fpu"), None)
    assert {"ok"} == {threads.verdict.value, instructions.verdict.value}
    assert "in the cpuset" in threads.found


def test_untold(tmp_path: Path, sim_bundle: Bundle) -> None:
    """Without /proc/cpuinfo nothing is judged."""
    assert "the system does not report them" == check_processor(tmp_path, sim_bundle.manifest)[1].found
