"""Which checks are made, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from spanserve import demo
from spanserve.device import DeviceSpec
from spanserve.doctor.bundle import check_target, open_bundle
from spanserve.doctor.descriptors import check_descriptors
from spanserve.doctor.environment import check_environment
from spanserve.doctor.finding import Finding
from spanserve.doctor.processor import check_processor
from spanserve.doctor.redis import check_redis
from spanserve.queue import RedisSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What is to be checked, and where."""

    #: None: no bundle is checked.
    bundle: Path | None
    #: None: the device that the bundle is for.
    device: DeviceSpec | None = None
    redis: RedisSettings | None = None
    magicmind_python: str = ""
    #: Variables for the device host alone.
    device_env: Mapping[str, str] = field(default_factory=dict)
    cnmon: str = "cnmon"
    #: HOST:PORT of mlu-exporter.
    exporter: str = "127.0.0.1:30108"
    #: Of the file system that holds `proc`, `sys` and `dev`.
    root: Path = Path("/")

    def findings(self) -> Iterator[Finding]:
        """Check one thing after another."""
        kind = self.device.kind if self.device else None
        manifest, opened = open_bundle(self.bundle, kind) if self.bundle else (None, None)
        spec = self.device or DeviceSpec.meant_for(manifest.target if manifest else demo.TARGET)
        yield from check_processor(self.root, manifest if spec.kind.host_processor else None)
        yield from check_descriptors()
        if opened is not None:
            yield opened
        if manifest is not None:
            yield check_target(manifest, spec)
        if self.redis is not None:
            yield from check_redis(self.redis)
        yield from check_environment(self.device_env)
        for look in spec.kind.looks:
            module, _, name = look.partition(":")
            yield from getattr(import_module(module), name)(self, spec, manifest)
