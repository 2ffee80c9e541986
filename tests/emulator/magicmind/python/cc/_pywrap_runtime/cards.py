"""The cards of the emulated machine, and which of them a thread has activated."""

from __future__ import annotations

import os
import threading

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


def count() -> int:
    """Visible cards: a repeated id leaves none, an id that is no number ends the list."""
    cards = int(os.environ.get("MM_EMULATOR_CARDS", "1"))
    chosen = os.environ.get("CN_VISIBLE_DEVICES", os.environ.get("MLU_VISIBLE_DEVICES"))
    if chosen is None:
        return cards
    visible: list[int] = []
    for part in (part.strip() for part in chosen.split(",")):
        if not part.isdigit() or int(part) >= cards:
            break
        if int(part) in visible:
            return 0
        visible.append(int(part))
    return len(visible)


def activate(ordinal: int) -> None:
    """Make a card the calling thread's."""
    _local.ordinal = ordinal


def active() -> int | None:
    """The calling thread's card; None if it has activated none."""
    return getattr(_local, "ordinal", None)
