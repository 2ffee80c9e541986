"""The cards of the emulated machine, and which of them a thread has activated."""

from __future__ import annotations

import os
import threading
from typing import Hashable

from .enums import DataType

_local = threading.local()


def arch() -> str:
    """Architecture of every card."""
    return os.environ.get("MM_EMULATOR_ARCH", "mtp_372")


def clusters() -> int:
    """Clusters of every card."""
    return int(os.environ.get("MM_EMULATOR_CLUSTERS", "8"))


def varying_dims() -> int:
    """Dimensions of one input that may vary."""
    return int(os.environ.get("MM_EMULATOR_VARYING_DIMS", "2"))


def output_type() -> DataType:
    """What a model says that its outputs are."""
    return DataType[os.environ.get("MM_EMULATOR_OUTPUT_TYPE", "FLOAT32")]


def version() -> tuple[int, ...]:
    """Of the SDK: what its parsers take depends on it."""
    return tuple(int(part) for part in os.environ.get("MM_EMULATOR_VERSION", "1.7.0").split("."))


def uuid(card: int) -> str:
    """Of a card of the machine."""
    return f"{card:08x}-2157-0000-0000-000000000000"


def count() -> int:
    """Visible cards: a repeated one leaves none, what is no number or UUID of a card here ends the list."""
    cards = int(os.environ.get("MM_EMULATOR_CARDS", "1"))
    chosen = os.environ.get("CN_VISIBLE_DEVICES", os.environ.get("MLU_VISIBLE_DEVICES"))
    if chosen is None:
        return cards
    parts = [part.strip() for part in chosen.split(",")]
    by_uuid = "-" in parts[0]  # numbers and UUIDs do not mix
    names = [uuid(card) if by_uuid else str(card) for card in range(cards)]
    visible: list[str] = []
    for part in parts:
        name = part if by_uuid else part.lstrip("0") or part[-1:]
        if name not in names:
            break
        if name in visible:
            return 0
        visible.append(name)
    return len(visible)


def activate(card: Hashable) -> None:
    """Make a card the calling thread's: its place among the visible ones, or that and another machine's address."""
    _local.card = card


def active() -> Hashable:
    """The calling thread's card; None if it has activated none."""
    return getattr(_local, "card", None)
