"""MLU cards as the driver and the system show them: visible ones, the driver, the nodes in /dev."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from spanserve.device.driver import MLUS, card_facts, card_folders
from spanserve.device.host.visible import VARIABLES, visible_devices
from spanserve.doctor.finding import Finding, failed, ok, warning

#: Of the release notes of Cambricon's magicmind_cloud.
OLDEST_DRIVER = (4, 20, 6)
_CONTROL = "cambricon_ctl"


def usable(path: Path) -> bool:
    """May this process read and write it?"""
    return os.access(path, os.R_OK | os.W_OK)


def cards_here(root: Path) -> int:
    """How many cards the driver or /dev shows."""
    return max(len(card_folders(root)), len(_nodes(root)))


def number_of_cards(count: int) -> str:
    """`no card`, `1 card`, `2 cards`."""
    return "no card" if count == 0 else f"{count} card{'s' if count > 1 else ''}"


def card_models(root: Path, card: int | None) -> set[str]:
    """Names of the card with this number, as in `MLU370-X4`; of all where the driver does not say which it is."""
    known = [card_facts(folder) for folder in card_folders(root)]
    own = [facts for facts in known if facts.get("Device inode path") == f"/dev/cambricon_dev{card}"]
    return {facts.get("Device name", "an unknown card") for facts in own or known}


def check_visible(environment: Mapping[str, str], index: int) -> Finding:
    """What the variables that hide cards come to.

    Args:
        environment: of the device host.
        index: of the card that is wanted.
    """
    name, seen = "visible cards", visible_devices(environment)
    if seen.ids is not None and index >= len(seen.ids):
        advice = "mlu:N counts the cards in the list; an id that occurs twice hides all cards, a bad one ends the list"
        return failed(
            name, f"{seen.why} leaves {number_of_cards(len(seen.ids))}: mlu:{index} does not exist", advice
        )
    given = [variable for variable in VARIABLES if variable in environment]
    if len({environment[variable] for variable in given}) > 1:
        advice = f"{given[0]} counts; {given[1]}={environment[given[1]]} does not"
        return warning(name, f"{seen.why}, and {given[1]} is set too", advice)
    if seen.ids is None:
        return ok(name, f"{seen.why}: mlu:{index} is card {index}")
    return ok(name, f"{seen.why}: mlu:{index} is {seen.ids[index]}")


def check_driver(root: Path) -> Finding:
    """The driver, and the cards that it has taken.

    Args:
        root: of the file system that holds `proc`.
    """
    name, cards = "driver", card_folders(root)
    if not (root / MLUS).is_dir():
        advice = "install the driver, 4.20.6 or newer, and load it; cnmon then lists the cards"
        return failed(name, f"/{MLUS} does not exist", advice)
    if not cards:
        return failed(
            name, "it is loaded, but has no card", "lspci -d cabc: shows cards; dmesg shows what is wrong"
        )
    facts = [card_facts(card) for card in cards]
    models = ", ".join(fact.get("Device name", "unknown") for fact in facts)
    version = next((fact["Driver Version"] for fact in facts if "Driver Version" in fact), "")
    found = f"version {version.lstrip('v') or 'unknown'}, {number_of_cards(len(cards))}: {models}"
    return judge_driver(name, found, version)


def judge_driver(name: str, found: str, version: str) -> Finding:
    """Is a driver of this version, as in `v4.20.11`, new enough?"""
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if not numbers:
        return warning(name, found, "MagicMind needs 4.20.6 or newer: compare with cnmon")
    if numbers < OLDEST_DRIVER:
        return failed(name, found, "MagicMind needs driver 4.20.6 or newer")
    return ok(name, found)


def check_nodes(root: Path, index: int, may_use: Callable[[Path], bool] = usable) -> Finding:
    """The nodes through which a process reaches the cards.

    Args:
        root: of the file system that holds `dev`.
        index: of the card that is wanted, counted from 0.
        may_use: whether this process may read and write a node.
    """
    name, nodes = "card nodes", _nodes(root)
    there = [node.name for node in (root / "dev" / _CONTROL, *nodes) if node.exists()]
    found = "/dev: " + (", ".join(there) or "no cambricon_ctl, no cambricon_dev")
    if _CONTROL not in there or index >= len(nodes):
        wanted = f"--device /dev/{_CONTROL} --device /dev/cambricon_dev{index}"
        advice = f"a container needs {wanted}; on a host the driver makes them when it is loaded"
        return failed(name, found, advice)
    closed = [path.name for path in (root / "dev" / _CONTROL, *nodes) if not may_use(path)]
    if closed:
        advice = (
            f"this user may not open them: join their group, or --group-add $(stat -c %g /dev/{closed[0]})"
        )
        return failed(name, f"{found}; not accessible: {', '.join(closed)}", advice)
    return ok(name, found)


def _nodes(root: Path) -> list[Path]:
    """/dev/cambricon_dev0 and so on, in the order of their numbers."""
    found = {
        int(match[1]): path
        for path in (root / "dev").glob("cambricon_dev*")
        if (match := re.fullmatch(r"cambricon_dev(\d+)", path.name))
    }
    return [found[number] for number in sorted(found)]
