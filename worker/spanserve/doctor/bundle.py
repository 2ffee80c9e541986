"""The bundle: whether every byte is the one that was written, and whether it is for this device."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from spanserve.bundle import Bundle, BundleError, Manifest
from spanserve.device import DeviceError, DeviceSpec
from spanserve.device.handle import check_fit
from spanserve.doctor.finding import Finding, failed, ok, warning


def open_bundle(path: Path, targets: Collection[str] | None = None) -> tuple[Manifest | None, Finding]:
    """Open a bundle as a worker does: size and sha256 of every file, goldens, cost table.

    Args:
        targets: of bundles that the device runs; None: not known yet.
    """
    name = "bundle"
    try:
        bundle = Bundle.open(path, targets=targets)
        bundle.goldens()
        bundle.cost_table()
    except (BundleError, OSError) as error:
        return None, failed(name, str(error), "copy it again whole, or build it: `spanserve build`")
    manifest = bundle.manifest
    found = f"{manifest.name}: {manifest.target}, {manifest.precision}, model {manifest.digest[:12]}"
    if not manifest.verification.windows:
        advice = "it was built with --no-verify: its goldens are the checkpoint's; build it where a card is"
        return manifest, warning(name, found, advice)
    return manifest, ok(name, found)


def check_target(manifest: Manifest, spec: DeviceSpec) -> Finding:
    """Is the bundle for this kind of device?"""
    name = "bundle and device"
    try:
        check_fit(manifest, spec, None)
    except DeviceError as error:
        return failed(name, str(error), "give --device for this bundle, or another --bundle")
    return ok(name, f"{spec.text} runs bundles of target {manifest.target}")
