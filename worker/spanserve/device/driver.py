"""MLU cards as the driver shows them.

What stands in /proc/driver/cambricon/mlus is known from the driver's public source: a folder per card, named by its
PCI address, with a file `information` of `Key: value` lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from spanserve.device.host.visible import visible_devices

#: Where it shows them.
MLUS = "proc/driver/cambricon/mlus"


def card_folders(root: Path = Path("/")) -> list[Path]:
    """Folders of the cards that the driver has.

    Args:
        root: of the file system that holds `proc`.
    """
    folder = root / MLUS
    return sorted(folder.iterdir()) if folder.is_dir() else []


def card_facts(folder: Path) -> dict[str, str]:
    """What a card's folder says; nothing if it cannot be read."""
    try:
        lines = (folder / "information").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def card_names(root: Path = Path("/")) -> set[str]:
    """Names of the cards of this machine, as in `MLU370-X4`; empty if the driver names none."""
    return {name for folder in card_folders(root) if (name := card_facts(folder).get("Device name"))}


def chosen_card(environment: Mapping[str, str], index: int) -> int | None:
    """Which card of the machine `mlu:index` is; None if the variables name it by UUID, or leave none."""
    ids = visible_devices(environment).ids
    if ids is None:
        return index
    return int(ids[index]) if index < len(ids) and ids[index].isdigit() else None
