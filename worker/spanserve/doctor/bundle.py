"""The bundle: whether every byte is the one that was written, and whether it is for this device and card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spanserve.bundle import Arch, Bundle, BundleError, Manifest
from spanserve.device import DeviceError, DeviceKind, DeviceSpec
from spanserve.device.architectures import CARD_CLUSTERS, card_architecture
from spanserve.device.handle import check_fit
from spanserve.doctor.finding import Finding, failed, ok, warning


def open_bundle(path: Path, kind: DeviceKind | None = None) -> tuple[Manifest | None, Finding]:
    """Open a bundle as a worker does: size and sha256 of every file, goldens, cost table.

    Args:
        kind: of the device; None: what the bundle is for.
    """
    name = "bundle"
    try:
        kind = kind or DeviceSpec.meant_for(Bundle.open(path).manifest.target).kind
        bundle = kind.open(path)
        bundle.goldens()
        bundle.cost_table()
    except (BundleError, DeviceError, OSError) as error:
        return None, failed(name, str(error), "copy all of it again, or build it: `spanserve build`")
    manifest = bundle.manifest
    found = f"{manifest.name}: {manifest.target}, {manifest.precision}, model {manifest.digest[:12]}"
    if len(bundle.variants) > 1:
        found += f"; {_why(bundle, kind)}"
    if not manifest.verification.windows:
        advice = "it was built with --no-verify: its goldens are the checkpoint's; build it on a machine with a card"
        return manifest, warning(name, found, advice)
    return manifest, ok(name, found)


def _why(bundle: Bundle, kind: DeviceKind) -> str:
    """Why a worker serves this one of the variants."""
    passed = [
        f"{variant.precision}: {objection}"
        for variant in bundle.variants
        if kind.runs(variant.target) and (objection := kind.objection(variant))
    ]
    others = ", ".join(passed)
    return f"the first of {len(bundle.variants)} variants that the device computes" + (
        f" ({others})" * bool(others)
    )


def check_target(manifest: Manifest, spec: DeviceSpec) -> Finding:
    """Is the bundle for this kind of device?"""
    name = "bundle and device"
    try:
        check_fit(manifest, spec, None)
    except DeviceError as error:
        return failed(name, str(error), "give --device for this bundle, or another --bundle")
    return ok(name, f"{spec.text} runs bundles of target {manifest.target}")


def check_architecture(archs: Sequence[Arch], models: set[str]) -> Finding:
    """Does the SDK take the bundle's graphs on a card of this model?

    Args:
        archs: that the bundle was built for.
        models: names that the card may have, as in `MLU370-X4`; more than one if it is not known which it is.
    """
    name, card = "bundle and card", " or ".join(sorted(models))
    built = " or ".join(
        f"{arch.name} with {min(arch.clusters, default=1)} clusters or more" for arch in archs
    )
    architectures = {card_architecture(model) for model in models}
    if "" in architectures or len(architectures) > 1:
        found = f"the bundle is for {built}; whether {card} is such a card is not known"
        return warning(name, found, "if it is not, build for it: --mlu-arch and --cluster-num")
    (architecture,) = architectures
    needed = {arch.name: min(arch.clusters, default=1) for arch in archs}.get(architecture)
    found = f"the bundle is for {built}; {card} is {architecture}"
    if needed is None:
        return failed(name, found, f"build it for this card: --mlu-arch {architecture}")
    has = min(CARD_CLUSTERS.get(model, needed) for model in models)
    if has < needed:
        return failed(name, f"{found} with {has}", f"build it for this card: --cluster-num {has}")
    return ok(name, found)
