"""The processor: how much of it there is for us, and which instructions it has."""

from __future__ import annotations

from pathlib import Path

from spanserve.bundle import Manifest
from spanserve.device.cpus import cpu_share
from spanserve.doctor.finding import Finding, failed, ok, warning

#: What is looked for, and the names it has in /proc/cpuinfo: of Intel and AMD, then of ARM.
_KINDS = {
    "vectors": ("avx2", "avx512f", "asimd"),
    "int8": ("avx512_vnni", "avx_vnni", "asimddp"),
    "bfloat16": ("avx512_bf16", "amx_bf16", "bf16"),
}


def check_processor(root: Path, manifest: Manifest | None) -> list[Finding]:
    """Look at the processor.

    Args:
        root: of the file system that holds `proc` and `sys`.
        manifest: of the bundle, if the processor itself is to compute it.
    """
    share = cpu_share(root)
    unit = "thread" if share.threads == 1 else "threads"
    return [ok("processors", f"{share.threads} {unit}: {share.reason}"), _instructions(root, manifest)]


def _instructions(root: Path, manifest: Manifest | None) -> Finding:
    flags = _flags(root)
    found = {kind: [name for name in names if name in flags] for kind, names in _KINDS.items()}
    text = ", ".join(name for names in found.values() for name in names) or "none of those that matter"
    name = "instructions"
    if manifest is None or not flags:
        return ok(name, text if flags else "the system does not tell")
    if manifest.precision == "bfloat16" and not found["bfloat16"]:
        advice = "this processor has no bfloat16 arithmetic: use a bundle of float32 or int8"
        return failed(name, text, advice)
    if manifest.precision == "int8" and not found["int8"]:
        advice = (
            "int8 gains most with VNNI, which is not here: compare with float32 by `spanserve bench device`"
        )
        return warning(name, text, advice)
    if not found["vectors"]:
        return warning(name, text, "without AVX2 it will be slow; a virtual machine may hide it")
    return ok(name, text)


def _flags(root: Path) -> set[str]:
    """Instruction sets that the kernel names; empty if it names none."""
    try:
        lines = (root / "proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return set(value.split())
    return set()
