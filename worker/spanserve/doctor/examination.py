"""Which checks are made, in which order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spanserve.bundle import Manifest
from spanserve.device import DeviceSpec
from spanserve.doctor.bundle import check_architecture, check_target, open_bundle
from spanserve.doctor.cards import (
    card_models,
    cards_here,
    check_driver,
    check_nodes,
    check_visible,
    chosen_card,
)
from spanserve.doctor.cnmon import check_cnmon
from spanserve.doctor.exporter import check_exporter
from spanserve.doctor.finding import Finding, ok
from spanserve.doctor.processor import check_processor
from spanserve.doctor.redis import check_redis
from spanserve.doctor.runtime import check_runtime
from spanserve.doctor.sdk import check_sdk
from spanserve.queue import RedisSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What is to be looked at, and where."""

    #: None: no bundle is looked at.
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
        manifest, opened = open_bundle(self.bundle) if self.bundle else (None, None)
        spec = self.device or DeviceSpec.parse(
            "mlu:0" if manifest is not None and manifest.target == "magicmind" else "cpu"
        )
        computed_here = manifest if spec.backend == "cpu" else None
        yield from check_processor(self.root, computed_here)
        if spec.backend == "cpu":
            yield check_runtime(manifest)
        if opened is not None:
            yield opened
        if manifest is not None:
            yield check_target(manifest, spec)
        if self.redis is not None:
            yield from check_redis(self.redis)
        if spec.backend == "mlu":
            yield from self._card(spec.index, manifest)
        else:
            yield ok("MLU cards", f"{cards_here(self.root) or 'none'} here, none needed for {spec.text}")

    def _card(self, index: int, manifest: Manifest | None) -> Iterator[Finding]:
        environment = {**os.environ, **self.device_env}
        card = chosen_card(environment, index)
        yield check_visible(environment, index)
        yield check_driver(self.root)
        models = card_models(self.root, card)
        if manifest is not None and manifest.magicmind is not None and models:
            yield check_architecture(manifest.magicmind, models)
        yield check_nodes(self.root, index)
        yield from check_cnmon(self.cnmon, card)
        yield check_exporter(self.exporter, card)
        yield from check_sdk(self.magicmind_python, self.device_env, index, manifest)
