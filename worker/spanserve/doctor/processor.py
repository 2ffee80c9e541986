"""The processor: how much of it there is for us, and which instructions it has."""

from __future__ import annotations

from pathlib import Path

from spanserve.bundle import Manifest
from spanserve.device.cpus import cpu_share
from spanserve.device.processor import instructions, lacks
from spanserve.doctor.finding import Finding, failed, ok, warning


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
    name = "instructions"
    found = instructions(root)
    if found is None:
        return ok(name, "the system does not report them")
    text = ", ".join(name for names in found.values() for name in names) or "none of the relevant ones"
    if manifest is None:
        return ok(name, text)
    missing = lacks(manifest.precision, root)
    if missing:
        return failed(name, text, f"{missing}: use a bundle of float32 or int8")
    if manifest.precision.startswith("int8") and not found["int8"]:
        advice = (
            "int8 gains most with VNNI, which is not here: compare with float32 by `spanserve bench device`"
        )
        return warning(name, text, advice)
    if not found["vectors"]:
        return warning(name, text, "without AVX2 it will be slow; a virtual machine may hide it")
    return ok(name, text)
