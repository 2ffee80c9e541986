"""Kinds of device that a bundle can be built for: one module each, listed here."""

from spanserve.builder.targets.cpu import CpuTarget
from spanserve.builder.targets.target import Target

TARGETS: dict[str, Target] = {target.name: target for target in (CpuTarget(),)}

__all__ = ["TARGETS", "Target"]
