"""Where MLU cards are plugged in, as the system shows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from spanserve.device.host.visible import visible_devices

if TYPE_CHECKING:
    from spanserve.device.spec import DeviceSpec

#: Of Cambricon, as the PCI subsystem names it.
_VENDOR = "0xcabc"


class NotLocated(Exception):
    """It cannot be told which processors a device is near. Says why."""


def card_node(spec: DeviceSpec, environment: Mapping[str, str], root: Path) -> int:
    """The NUMA node of a card.

    `mlu:N` is taken for the N-th visible card in the order of their PCI addresses, the order of `cnmon` and of
    Cambricon's own checking scripts. No public page promises it for CNRT, so the log says which card was looked at.

    Args:
        environment: of the device host; its variables tell which cards are visible.
        root: of the file system that holds `proc` and `sys`.

    Raises:
        NotLocated: the variables or the system do not tell.
    """
    visible = visible_devices(environment)
    if visible.ids is not None and not all(name.isdigit() for name in visible.ids):
        raise NotLocated(f"{visible.why} does not say where the cards are")
    cards, index = _cards(root), spec.index
    if visible.ids is not None:
        index = int(visible.ids[index]) if index < len(visible.ids) else len(cards)
    if index >= len(cards):
        raise NotLocated(f"the system shows {len(cards)} cards, and {spec.name} is not one of them")
    node = int(read_fact(root / "sys/bus/pci/devices" / cards[index] / "numa_node") or -1)
    if node < 0:
        raise NotLocated(f"the system does not report the NUMA node of card {cards[index]}")
    return node


def _cards(root: Path) -> list[str]:
    """PCI addresses of the cards, in order: those the driver has, or those on the bus where it does not show."""
    known = root / "proc/driver/cambricon/mlus"
    if known.is_dir():
        return sorted(entry.name for entry in known.iterdir())
    bus = root / "sys/bus/pci/devices"
    devices = sorted(bus.iterdir()) if bus.is_dir() else []
    return [device.name for device in devices if read_fact(device / "vendor") == _VENDOR]


def read_fact(path: Path) -> str:
    """A file of /sys without white space around it; empty if it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
