"""What a fleet serves: one bundle, and of it on each device the variant that its worker serves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spanserve.bundle import Bundle
from spanserve.device import DeviceSpec
from spanserve.fleet.pinned_bundle import read_pinned
from tests.kit.abacus import ABACUS
from tests.kit.bundles import make_mixed_bundle


def test_digest_on_each_device(tmp_path: Path) -> None:
    """Every kind of device has the digest of the variant that it serves; one that can serve none has none."""
    bundle = make_mixed_bundle(tmp_path)
    (tmp_path / "current").symlink_to(bundle.path)
    pinned = read_pinned(tmp_path / "current")
    assert (bundle.path, "simulated") == (pinned.path, pinned.name)
    first, second, abacus = (manifest.digest for manifest in bundle.variants)
    kinds = [ABACUS, *(DeviceSpec.parse(text).kind for text in ("cpu", "sim:fixed", "mlu:0"))]
    assert [abacus, first, first, ""] == [pinned.digest(kind) for kind in kinds]
    for kind in kinds[:3]:
        assert Bundle.open(bundle.path, targets=kind.targets).manifest.digest == pinned.digest(kind)
    cpu = kinds[1]
    assert second == pinned.digest(cpu, "int8")
    old = replace(cpu, lacks=lambda precision: "nothing for it" if precision == "float32" else "")
    assert second == pinned.digest(old) == old.open(bundle.path).manifest.digest
