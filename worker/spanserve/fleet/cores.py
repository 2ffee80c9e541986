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
from spanserve.device.pci import NotLocated, read_fact
from spanserve.fleet.placements import Placement


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
    near = {node: _of_node(root, node) for node in set(nodes)}
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
    """Even runs of cores, each given as its threads; of threads where cores do not suffice; else all to each worker."""
    cpus = [cpu for core in cores for cpu in core]
    if len(cpus) < parts:
        return [Cores(frozenset(cpus), f"{parts} workers share {len(cpus)} processors; {why}")] * parts
    pieces = cores if len(cores) >= parts else [[cpu] for cpu in cpus]
    bounds = [len(pieces) * part // parts for part in range(parts + 1)]
    runs = [frozenset(itertools.chain(*pieces[low:high])) for low, high in itertools.pairwise(bounds)]
    return [Cores(run, f"{len(run)} of {len(cpus)} processors; {why}") for run in runs]


def _nodes(
    placements: Sequence[Placement], environment: Mapping[str, str], root: Path
) -> tuple[list[int], str]:
    """The NUMA node of each placement; and why they cannot be used, if so."""
    nodes = []
    locates = [placement.spec.kind.locate for placement in placements]
    for placement, locate in zip(placements, locates, strict=True):
        if locate is None or None in locates:
            return [], "divided evenly: these devices are near all processors"
        try:
            nodes.append(locate(placement.spec, environment, root))
        except NotLocated as error:
            return [], f"divided evenly: {error}"
    return nodes, ""


def _of_node(root: Path, node: int) -> frozenset[int]:
    return parse_cpus(read_fact(root / f"sys/devices/system/node/node{node}/cpulist"))


def _core(root: Path, cpu: int) -> int:
    """The first processor of the core that this one is a thread of."""
    siblings = read_fact(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    return min(parse_cpus(siblings), default=cpu)
