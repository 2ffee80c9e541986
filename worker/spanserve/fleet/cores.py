"""Divides the processors of a host among its workers, those near a card to the worker of that card.

A worker that runs on the other socket reaches its card and its own memory across the link between sockets.
Where the system does not tell which processors are near, or a card is not found, they are divided evenly.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spanserve.device.cpus import format_cpus, parse_cpus
from spanserve.device.host.visible import visible_devices
from spanserve.fleet.placements import Placement

#: Of Cambricon, as the PCI subsystem names it.
_VENDOR = "0xcabc"


@dataclass(frozen=True, slots=True)
class Cores:
    """The processors of one worker, and why these."""

    cpus: frozenset[int]
    reason: str


def divide(
    placements: Sequence[Placement],
    *,
    allowed: Iterable[int],
    environment: Mapping[str, str],
    root: Path = Path("/"),
) -> list[Cores]:
    """Processors for each placement, in the same order.

    Args:
        allowed: processors that this process may use.
        environment: of the device hosts; its variables tell which cards are visible.
        root: of the file system that holds `proc` and `sys`.
    """
    threads: dict[int, list[int]] = {}
    for cpu in sorted(allowed):
        threads.setdefault(_core(root, cpu), []).append(cpu)
    cores = [threads[core] for core in sorted(threads)]
    nodes, why = _nodes(placements, environment, root)
    near = {node: _of_node(root, node) for node in set(nodes) if node is not None}
    local = {node: [core for core in cores if not cpus.isdisjoint(core)] for node, cpus in near.items()}
    useless = [node for node, found in local.items() if not found]
    if useless:
        why = f"none of the processors of NUMA node {useless[0]} may be used"
    if why:
        return _split(cores, len(placements), why)
    shares: dict[int, Cores] = {}
    for node, cpus in near.items():
        members = [index for index, other in enumerate(nodes) if other == node]
        reason = f"near its card: NUMA node {node} has {format_cpus(cpus)}"
        shares |= zip(members, _split(local[node], len(members), reason), strict=True)
    return [shares[index] for index in range(len(placements))]


def _split(cores: Sequence[Sequence[int]], parts: int, why: str) -> list[Cores]:
    """Even runs of cores, each given as its threads; of threads where cores do not suffice; else all to everybody."""
    cpus = [cpu for core in cores for cpu in core]
    if len(cpus) < parts:
        return [Cores(frozenset(cpus), f"{parts} workers share {len(cpus)} processors; {why}")] * parts
    pieces = cores if len(cores) >= parts else [[cpu] for cpu in cpus]
    bounds = [len(pieces) * part // parts for part in range(parts + 1)]
    runs = [frozenset(itertools.chain(*pieces[low:high])) for low, high in itertools.pairwise(bounds)]
    return [Cores(run, f"{len(run)} of {len(cpus)} processors; {why}") for run in runs]


def _nodes(
    placements: Sequence[Placement], environment: Mapping[str, str], root: Path
) -> tuple[list[int | None], str]:
    """The NUMA node of each placement; and why they are of no use, where they are not.

    Card N is taken to be the N-th in the order of PCI addresses: the order of `cnmon` and of Cambricon's own
    checking scripts. No public page promises it for CNRT, so the log says which card was looked at.
    """
    if any(placement.spec.backend != "mlu" for placement in placements):
        return [], "divided evenly: these devices are near all processors"
    visible = visible_devices(environment)
    if visible.ids is not None and not all(name.isdigit() for name in visible.ids):
        return [], f"divided evenly: {visible.why} does not tell where cards are"
    cards = _cards(root)
    nodes: list[int | None] = []
    for placement in placements:
        index = placement.spec.index
        if visible.ids is not None:
            index = int(visible.ids[index]) if index < len(visible.ids) else len(cards)
        if index >= len(cards):
            return (
                [],
                f"divided evenly: the system shows {len(cards)} cards, and {placement.name} is none of them",
            )
        node = int(_read(root / "sys/bus/pci/devices" / cards[index] / "numa_node") or -1)
        if node < 0:
            return [], f"divided evenly: the system does not tell the NUMA node of card {cards[index]}"
        nodes.append(node)
    return nodes, ""


def _cards(root: Path) -> list[str]:
    """PCI addresses of the cards, in order: those the driver has, or those on the bus where it does not show."""
    known = root / "proc/driver/cambricon/mlus"
    if known.is_dir():
        return sorted(entry.name for entry in known.iterdir())
    bus = root / "sys/bus/pci/devices"
    devices = sorted(bus.iterdir()) if bus.is_dir() else []
    return [device.name for device in devices if _read(device / "vendor") == _VENDOR]


def _of_node(root: Path, node: int) -> frozenset[int]:
    return parse_cpus(_read(root / f"sys/devices/system/node/node{node}/cpulist"))


def _core(root: Path, cpu: int) -> int:
    """The first processor of the core that this one is a thread of."""
    siblings = _read(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    return min(parse_cpus(siblings), default=cpu)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
