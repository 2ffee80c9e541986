"""What a fleet serves: a bundle at a path that does not change while the workers use it.

The path given to `spanserve up` may be a symbolic link. It is followed when the supervisor starts and at each
SIGHUP, and workers get what it led to: one that is started again in between serves what its neighbours serve.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from spanserve.bundle import Bundle, Manifest
from spanserve.bundle.manifest import MANIFEST_NAME
from spanserve.bundle.precision import precision_among
from spanserve.device import DeviceKind


@dataclass(frozen=True, slots=True)
class PinnedBundle:
    """A bundle that was checked and found whole.

    Attributes:
        path: its folder, without symbolic links.
        variants: as in its manifest.
        manifest: sha256 (hex) of the manifest file: tells whether the folder still holds what was read.
    """

    path: Path
    name: str
    variants: tuple[Manifest, ...]
    manifest: str

    def digest(self, kind: DeviceKind, precision: str | None = None) -> str:
        """Of the variant that workers on devices of a kind serve; empty if they can serve none."""
        if precision is not None:
            precision = precision_among([variant.precision for variant in self.variants], precision)
        fitting = (
            variant.digest
            for variant in self.variants
            if kind.runs(variant.target)
            and precision in (None, variant.precision)
            and not kind.lacks(variant.precision)
        )
        return next(fitting, "")


def read_pinned(path: Path) -> PinnedBundle:
    """Follow a path to a bundle and check every file of it.

    Raises:
        BundleError: there is no bundle, or a damaged one.
    """
    real = path.resolve()
    bundle = Bundle.open(real)
    content = hashlib.sha256((real / MANIFEST_NAME).read_bytes()).hexdigest()
    return PinnedBundle(real, bundle.manifest.name, bundle.variants, content)
