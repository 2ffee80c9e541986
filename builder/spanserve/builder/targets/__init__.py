"""Kinds of device that a bundle can be built for: one module each."""

from spanserve.builder.targets.cpu import CpuTarget
from spanserve.builder.targets.magicmind import MagicMindOptions, MagicMindTarget
from spanserve.builder.targets.target import BuildRequest, Compiled, Target

__all__ = [
    "TARGETS",
    "BuildRequest",
    "Compiled",
    "CpuTarget",
    "MagicMindOptions",
    "MagicMindTarget",
    "Target",
]

#: By name, for `--target`.
TARGETS: dict[str, type[CpuTarget] | type[MagicMindTarget]] = {
    target.name: target for target in (CpuTarget, MagicMindTarget)
}
