"""Architectures of Cambricon's cards: which card has which, and how many clusters to compile for.

Seen in public code: that an MLU370 is an mtp_372 and an MLU590 an mtp_592, that an MLU365-D2 is built for as the former
and an MLU580 as the latter (mlu-ops), and the numbers of clusters below (magicmind_cloud 1.7, `model_process.py`).
"""

from __future__ import annotations

#: Architecture -> numbers of clusters to compile for when none are given. A card takes the number that is its own, or
#: else the nearest; it refuses a model whose numbers are all above its own.
CLUSTERS: dict[str, tuple[int, ...]] = {"mtp_372": (2, 6, 8), "mtp_592": (1,)}
#: Series of a card, the part of its name before the dash -> architecture.
_SERIES = {"MLU365": "mtp_372", "MLU370": "mtp_372", "MLU580": "mtp_592", "MLU590": "mtp_592"}
#: Clusters of cards, as mm_run told of them.
CARD_CLUSTERS = {"MLU370-S4": 6, "MLU370-X4": 8}


def card_architecture(name: str) -> str:
    """Architecture of a card by its name, as in `MLU370-X4`; empty if it is not known."""
    return _SERIES.get(name.partition("-")[0].upper(), "")
