"""What a fleet serves: a bundle at a path that does not change under the workers' feet.

The path given to `spanserve up` may be a symbolic link. It is followed when the supervisor starts and at each
SIGHUP, and workers get what it led to: one that is started again in between serves what its neighbours serve.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spanserve.bundle import Bundle
from spanserve.bundle.manifest import MANIFEST_NAME
from spanserve.device import DeviceKind


@dataclass(frozen=True, slots=True)
class PinnedBundle:
    """A bundle that was found whole.

    Attributes:
        path: its folder, without symbolic links.
        digests: of its variants by target, the first of each: equal digests give equal answers.
        manifest: sha256 (hex) of the manifest file: tells whether the folder still holds what was read.
    """

    path: Path
    name: str
    digests: Mapping[str, str]
    manifest: str

    def digest(self, kind: DeviceKind) -> str:
        """Of the variant that workers on devices of a kind serve; empty if they can serve none."""
        return next((digest for target, digest in self.digests.items() if kind.runs(target)), "")


def read_pinned(path: Path) -> PinnedBundle:
    """Follow a path to a bundle and check every file of it.

    Raises:
        BundleError: there is no bundle, or a damaged one.
    """
    real = path.resolve()
    bundle = Bundle.open(real)
    content = hashlib.sha256((real / MANIFEST_NAME).read_bytes()).hexdigest()
    digests = {variant.target: variant.digest for variant in reversed(bundle.variants)}
    in_order = {variant.target: digests[variant.target] for variant in bundle.variants}
    return PinnedBundle(real, bundle.manifest.name, in_order, content)
