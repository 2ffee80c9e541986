"""Which instructions this machine's processor has, and which precisions it therefore computes."""

from __future__ import annotations

from pathlib import Path

#: What is looked for, and the names it has in /proc/cpuinfo: of Intel and AMD, then of ARM.
INSTRUCTIONS = {
    "vectors": ("avx2", "avx512f", "asimd"),
    "int8": ("avx512_vnni", "avx_vnni", "asimddp"),
    "bfloat16": ("avx512_bf16", "amx_bf16", "bf16"),
}
#: Precisions that need arithmetic which not every processor has.
_NEEDS_BFLOAT16 = ("bfloat16", "int8_mixed_bfloat16")


def instructions(root: Path = Path("/")) -> dict[str, list[str]] | None:
    """Those that matter, by what they are for; None if the system does not show them.

    Args:
        root: of the file system that holds `proc`.
    """
    flags = _flags(root)
    if not flags:
        return None
    return {use: [name for name in names if name in flags] for use, names in INSTRUCTIONS.items()}


def lacks(precision: str, root: Path = Path("/")) -> str:
    """What the processor lacks for a precision; empty if nothing."""
    found = instructions(root)
    if precision in _NEEDS_BFLOAT16 and found is not None and not found["bfloat16"]:
        return "this processor has no bfloat16 arithmetic"
    return ""


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
