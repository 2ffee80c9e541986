"""Architectures of Cambricon's cards: which card has which, and how many clusters to compile for.

Seen in public code: that an MLU370 is an mtp_372 and an MLU590 an mtp_592, that an MLU365-D2 is built for as the former
and an MLU580 as the latter (mlu-ops), and the numbers of clusters below (magicmind_cloud 1.7, `model_process.py`).
Inferred: that MagicMind's graphs for an MLU590 run on an MLU580, as operators of mlu-ops do.
Unknown: which cards are an mtp_613 or mtp_617, which compilers of torch extensions name, their clusters, and whether a
release of MagicMind compiles for them; nothing public does.
"""

from __future__ import annotations

from pathlib import Path

from spanserve.bundle import Manifest
from spanserve.device.driver import card_names

#: Architecture -> numbers of clusters to compile for when none are given. A card takes the number that is its own, or
#: else the nearest; it refuses a model whose numbers are all above its own.
CLUSTERS: dict[str, tuple[int, ...]] = {"mtp_372": (2, 6, 8), "mtp_592": (1,)}
#: Series of a card, the part of its name before the dash -> architecture.
_SERIES = {"MLU365": "mtp_372", "MLU370": "mtp_372", "MLU580": "mtp_592", "MLU590": "mtp_592"}
#: Clusters of cards, as mm_run reported them.
CARD_CLUSTERS = {"MLU370-S4": 6, "MLU370-X4": 8}


def card_architecture(name: str) -> str:
    """Architecture of a card by its name, as in `MLU370-X4`; empty if it is not known."""
    return _SERIES.get(name.partition("-")[0].upper(), "")


def misfit(variant: Manifest, root: Path = Path("/")) -> str:
    """Why no card of this machine runs a variant; empty if one may.

    Args:
        root: of the file system that holds `proc`. What the driver does not say, and cards that are not known,
            rule out nothing.
    """
    here = {card_architecture(name) for name in card_names(root)}
    built = {arch.name for arch in variant.arch}
    if not here or "" in here or here & built or not built:
        return ""
    return f"it is for {' or '.join(sorted(built))}, the cards here are {' and '.join(sorted(here))}"
