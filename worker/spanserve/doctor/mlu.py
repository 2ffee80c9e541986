"""What an MLU card needs: driver, nodes, cnmon, exporter, SDK; and what is reported where no card is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from spanserve.bundle import Manifest
from spanserve.device import DeviceSpec
from spanserve.device.driver import chosen_card
from spanserve.doctor.bundle import check_architecture
from spanserve.doctor.cards import (
    card_models,
    cards_here,
    check_driver,
    check_nodes,
    check_visible,
)
from spanserve.doctor.cnmon import check_cnmon
from spanserve.doctor.exporter import check_exporter
from spanserve.doctor.finding import Finding, ok
from spanserve.doctor.sdk import check_sdk

if TYPE_CHECKING:
    from spanserve.doctor.examination import Examination


def look(examination: Examination, spec: DeviceSpec, manifest: Manifest | None) -> Iterator[Finding]:
    """Look at a card and its SDK."""
    environment = {**os.environ, **examination.device_env}
    index, card = spec.index, chosen_card(environment, spec.index)
    fitting = manifest if manifest is not None and spec.kind.runs(manifest.target) else None
    yield check_visible(environment, index)
    yield check_driver(examination.root)
    models = card_models(examination.root, card)
    if fitting is not None and models:
        yield check_architecture(fitting.arch, models)
    yield check_nodes(examination.root, index)
    yield from check_cnmon(examination.cnmon, card)
    yield check_exporter(examination.exporter, card)
    yield from check_sdk(examination.magicmind_python, examination.device_env, index, fitting)


def not_needed(examination: Examination, spec: DeviceSpec, manifest: Manifest | None) -> Iterator[Finding]:
    """Say how many cards are here, for a device that is not one."""
    yield ok("MLU cards", f"{cards_here(examination.root) or 'none'} here, none needed for {spec.text}")
